#include "inspect/rules/rule_builder.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "inspect/rules/classification.h"
#include "inspect/rules/keyword_buffers.h"
#include "inspect/rules/numbers.h"
#include "inspect/rules/values.h"

namespace weir::inspect::rules {
namespace {

bool among(std::string_view word, std::initializer_list<std::string_view> words) { return std::ranges::find(words, word) != words.end(); }

/// Backslashes before quotes, semicolons and colons go.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == ';' || text[i + 1] == '\\' || text[i + 1] == ':')) ++i;
    out += text[i];
  }
  return out;
}

bool* relative_of(Condition& c) {
  return std::visit(
      [](auto& what) -> bool* {
        if constexpr (requires { what.relative; }) {
          return &what.relative;
        } else if constexpr (requires { what.read; }) {
          return &what.read.relative;
        } else {
          return nullptr;
        }
      },
      c.what);
}

}  // namespace

Content* RuleBuilder::last_content() { return content_ ? &std::get<Content>(rule_.conditions[*content_].what) : nullptr; }

Parsed<bool> RuleBuilder::option(std::string_view keyword, std::optional<std::string_view> value, int column) {
  static constexpr std::string_view kOnce[] = {"sid", "rev", "gid", "flow", "dsize", "mptcp.version", "mptcp.subflows", "mptcp.opener", "app-layer-protocol"};
  if (const auto* const once = std::ranges::find(kOnce, keyword); once != std::end(kOnce)) {
    const auto bit = 1U << static_cast<unsigned>(once - std::begin(kOnce));
    if ((given_ & bit) != 0) return fault("it is given twice");
    given_ |= bit;
  }
  return value ? with_value(keyword, trimmed(*value), column) : without_value(keyword);
}

Parsed<bool> RuleBuilder::without_value(std::string_view keyword) {
  if (const auto sticky = sticky_buffer(keyword)) {
    if (auto used = last_buffer_used(); !used) return used;
    buffer_ = *sticky;
    sticky_at_ = rule_.conditions.size();
    content_.reset();
    return true;
  }
  if (keyword == "dotprefix") {
    const auto dotted = dotted_form(buffer_);
    if (!dotted) return fault("it is supported behind http.host, tls.sni and dns.query only");
    buffer_ = *dotted;
    return true;
  }
  if (keyword == "mptcp.split") {
    rule_.mptcp.split = true;
    return true;
  }
  if (keyword == "noalert") {
    rule_.no_alert = true;
    return true;
  }
  Content* const content = last_content();
  const auto needs_content = [] { return fault("it belongs behind a content"); };
  if (const auto modifier = modifier_buffer(keyword)) {
    if (content == nullptr) return needs_content();
    if (!is_stream(rule_.conditions[*content_].buffer)) return fault("the content before it has a buffer already");
    rule_.conditions[*content_].buffer = *modifier;
    return true;
  }
  if (keyword == "nocase") {
    if (content == nullptr) return needs_content();
    content->nocase = true;
  } else if (keyword == "fast_pattern") {
    if (content == nullptr) return needs_content();
    content->fast_pattern = !content->negated;
  } else if (keyword == "startswith") {
    if (content == nullptr) return needs_content();
    if (content->offset || content->depth || content->distance || content->within) return fault("it contradicts offset, depth, distance and within");
    content->starts = true;
  } else if (keyword == "endswith") {
    if (content == nullptr) return needs_content();
    content->ends = true;
  } else if (keyword == "rawbytes") {
    if (content == nullptr) return needs_content();
  } else if (among(keyword,
                   {"content",  "pcre", "sid",      "rev",   "msg",   "depth",  "offset",    "distance",  "within",        "byte_test",      "byte_jump",
                    "isdataat", "flow", "flowbits", "bsize", "dsize", "urilen", "threshold", "classtype", "mptcp.version", "mptcp.subflows", "mptcp.opener"})) {
    return fault("its value is missing");
  } else {
    return fault("not supported");
  }
  return true;
}

Parsed<bool> RuleBuilder::position(std::string_view keyword, std::string_view value) {
  Content* const content = last_content();
  if (content == nullptr) return fault("it belongs behind a content");
  if (content->starts) return fault("it contradicts startswith");
  const auto n = number<std::int64_t>(value);
  const bool may_be_negative = keyword == "distance";
  if (!n || *n > 1'048'576 || *n < (may_be_negative ? -1'048'576 : 0))
    return fault("'" + std::string(value) + "' is no number of octets up to 1048576 (variables are not supported)");
  auto& field = keyword == "offset" ? content->offset : keyword == "depth" ? content->depth : keyword == "distance" ? content->distance : content->within;
  if (field) return fault("it is given twice");
  field = n;
  const auto size = static_cast<std::int64_t>(content->bytes.size());
  if ((keyword == "depth" || keyword == "within") && *n < size) return fault("the content of " + std::to_string(size) + " octets does not fit in it");
  if (keyword == "distance" || keyword == "within") content->relative = true;
  if (content->relative && (content->offset || content->depth)) return fault("positions from the beginning and from the match before contradict each other");
  return true;
}

Parsed<bool> RuleBuilder::with_value(std::string_view keyword, std::string_view value, int column) {
  const auto push = [&](auto parsed, Buffer buffer) -> Parsed<bool> {
    if (!parsed) return std::unexpected(parsed.error());
    rule_.conditions.push_back({buffer, std::move(*parsed), column});
    return true;
  };
  if (keyword == "content") {
    auto added = push(parse_content(value), buffer_);
    if (added) content_ = rule_.conditions.size() - 1;
    return added;
  }
  if (among(keyword, {"offset", "depth", "distance", "within"})) return position(keyword, value);
  if (keyword == "fast_pattern") {
    Content* const content = last_content();
    if (content == nullptr) return fault("it belongs behind a content");
    const auto parts = items(value);
    const bool chopped = parts.size() == 2 && number<std::uint16_t>(parts[0]) && number<std::uint16_t>(parts[1]);
    if (value != "only" && !chopped) return fault("'" + std::string(value) + "' is neither only nor OFFSET,LENGTH");
    content->fast_pattern = !content->negated;
    return true;
  }
  if (keyword == "pcre") {
    Buffer buffer = buffer_;
    auto pcre = parse_pcre(value, buffer);
    return push(std::move(pcre), buffer);
  }
  if (keyword == "byte_test") return push(parse_byte_test(value), buffer_);
  if (keyword == "byte_jump") return push(parse_byte_jump(value), buffer_);
  if (keyword == "isdataat") return push(parse_isdataat(value), buffer_);
  if (keyword == "bsize") {
    if (is_stream(buffer_)) return fault("it is about the sticky buffer before it, and there is none");
    auto test = number_test(value);
    if (!test) return std::unexpected(test.error());
    return push(Parsed<BufferSize>(BufferSize{*test}), buffer_);
  }
  if (keyword == "urilen") {
    const auto parts = items(value);
    if (parts.size() > 2 || (parts.size() == 2 && !among(parts[1], {"norm", "raw"}))) return fault("it takes a number, and norm or raw");
    auto test = number_test(parts[0]);
    if (!test) return std::unexpected(test.error());
    return push(Parsed<BufferSize>(BufferSize{*test}), parts.size() == 2 && parts[1] == "raw" ? Buffer::kHttpUriRaw : Buffer::kHttpUri);
  }
  if (among(keyword, {"tls.subject", "tls.issuerdn", "tls.fingerprint"})) {
    const Buffer buffer = keyword == "tls.subject" ? Buffer::kTlsCertSubject : keyword == "tls.issuerdn" ? Buffer::kTlsCertIssuer : Buffer::kTlsCertFingerprint;
    return push(parse_content(value), buffer);
  }
  return about_the_rule(keyword, value);
}

Parsed<bool> RuleBuilder::about_the_rule(std::string_view keyword, std::string_view value) {
  const auto small = [&](std::uint32_t& into, std::uint32_t least) -> Parsed<bool> {
    const auto n = number<std::uint32_t>(value);
    if (!n || *n < least) return fault("'" + std::string(value) + "' is no number from " + std::to_string(least) + " on");
    into = *n;
    return true;
  };
  const auto store = [](auto parsed, auto& into) -> Parsed<bool> {
    if (!parsed) return std::unexpected(parsed.error());
    into = std::move(*parsed);
    return true;
  };
  if (keyword == "msg") {
    const auto text = quoted(value);
    if (!text) return std::unexpected(text.error());
    rule_.message = unescaped(*text);
    return true;
  }
  if (keyword == "sid") return small(rule_.sid, 1);
  if (keyword == "rev") return small(rule_.rev, 0);
  if (keyword == "gid") return small(rule_.gid, 0);
  if (keyword == "priority") {
    has_priority_ = true;
    auto taken = small(rule_.priority, 1);
    if (taken && rule_.priority > 255) return fault("it goes up to 255");
    return taken;
  }
  if (keyword == "classtype") {
    const auto known = classification(value);
    if (!known) return fault("'" + std::string(value) + "' is no class that is known");
    rule_.class_type = value;
    rule_.category = known->category;
    if (!has_priority_) rule_.priority = known->priority;
    return true;
  }
  if (keyword == "reference") {
    const auto comma = value.find(',');
    if (comma == std::string_view::npos) return fault("it takes a kind and a name");
    rule_.references.emplace_back(trimmed(value.substr(0, comma)), trimmed(value.substr(comma + 1)));
    return true;
  }
  if (keyword == "metadata") {
    for (const std::string_view item : items(value)) {
      const auto space = item.find(' ');
      if (item.empty()) continue;
      rule_.metadata.emplace_back(item.substr(0, space), space == std::string_view::npos ? std::string_view() : trimmed(item.substr(space)));
    }
    return true;
  }
  if (keyword == "target") {
    if (!among(value, {"src_ip", "dest_ip"})) return fault("it is src_ip or dest_ip");
    return true;
  }
  if (keyword == "flow") return store(parse_flow(value), rule_.flow);
  if (keyword == "flowbits") {
    auto bits = parse_flowbits(value);
    if (!bits) return std::unexpected(bits.error());
    rule_.flowbits.push_back(std::move(*bits));
    return true;
  }
  if (keyword == "threshold" || keyword == "detection_filter") {
    if (rule_.threshold) return fault("there is one already");
    return store(parse_threshold(value, keyword == "detection_filter"), rule_.threshold);
  }
  if (keyword == "dsize") return store(number_test(value), rule_.payload_size);
  if (keyword == "mptcp.version") return store(number_test(value), rule_.mptcp.version);
  if (keyword == "mptcp.subflows") return store(number_test(value), rule_.mptcp.subflows);
  if (keyword == "mptcp.opener") {
    if (!among(value, {"client", "server"})) return fault("it is client or server");
    rule_.mptcp.opened_by_server = value == "server";
    return true;
  }
  if (keyword == "app-layer-protocol") {
    static constexpr std::pair<std::string_view, Protocol> kNames[] = {
        {"http", Protocol::kHttp}, {"http1", Protocol::kHttp}, {"tls", Protocol::kTls}, {"dns", Protocol::kDns}};
    const auto* const found = std::ranges::find(kNames, value, [](const auto& entry) { return entry.first; });
    if (found == std::end(kNames)) return fault("'" + std::string(value) + "' is not supported");
    if (rule_.protocol != Protocol::kIp && rule_.protocol != Protocol::kTcp && rule_.protocol != found->second) return fault("the rule's protocol is another");
    rule_.protocol = found->second;
    return true;
  }
  if (sticky_buffer(keyword) || modifier_buffer(keyword) ||
      among(keyword, {"nocase", "startswith", "endswith", "rawbytes", "noalert", "mptcp.split", "dotprefix"}))
    return fault("it takes no value");
  return fault("not supported");
}

/// A keyword that requests and responses share means the response's part in a rule about what goes to the client.
void RuleBuilder::settle_direction() {
  bool response = rule_.flow.to_client;
  if (!rule_.flow.to_client && !rule_.flow.to_server) {
    bool of_request = false, of_response = false, file_only = true;
    for (const Condition& c : rule_.conditions) {
      if (is_stream(c.buffer)) continue;
      file_only = file_only && c.buffer == Buffer::kRequestFileData;
      if (response_form(c.buffer)) continue;
      (direction_of(info_of(c.buffer).stage) == Direction::kToClient ? of_response : of_request) = true;
    }
    response = (of_response && !of_request) || file_only;
  }
  if (!response) return;
  for (Condition& c : rule_.conditions) {
    if (const auto form = response_form(c.buffer)) c.buffer = *form;
  }
}

/// What is relative without a match before it on its buffer counts from the beginning.
Parsed<bool> RuleBuilder::settle_positions() {
  std::array<bool, static_cast<std::size_t>(Buffer::kCount)> begun{};
  for (Condition& c : rule_.conditions) {
    bool& after_match = begun[static_cast<std::size_t>(c.buffer)];
    bool* const relative = relative_of(c);
    auto* const content = std::get_if<Content>(&c.what);
    if (relative != nullptr && *relative && !after_match) {
      *relative = false;
      if (content != nullptr) {
        const std::int64_t distance = content->distance.value_or(0);
        content->offset = std::max<std::int64_t>(0, distance);
        if (content->within) content->depth = *content->within + std::min<std::int64_t>(0, distance);
        if (content->depth && *content->depth < static_cast<std::int64_t>(content->bytes.size()))
          return fault("a content with a negative distance has no match before it, and does not fit in what is left of within");
        content->distance = content->within = std::nullopt;
      }
    }
    if (content == nullptr ? std::holds_alternative<ByteJump>(c.what) || std::holds_alternative<Pcre>(c.what) : !content->negated) after_match = true;
  }
  return true;
}

Parsed<bool> RuleBuilder::last_buffer_used() const {
  if (is_stream(buffer_) || rule_.conditions.size() > sticky_at_) return true;
  return fault("nothing is asked of " + std::string(info_of(buffer_).keyword));
}

Parsed<bool> RuleBuilder::finish() {
  if (rule_.sid == 0) return fault("it has no sid");
  if (auto used = last_buffer_used(); !used) return used;
  settle_direction();
  return settle_positions();
}

}  // namespace weir::inspect::rules
