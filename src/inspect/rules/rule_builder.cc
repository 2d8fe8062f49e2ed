#include "inspect/rules/rule_builder.h"

#include <algorithm>
#include <string>
#include <utility>

#include "inspect/rules/classification.h"
#include "inspect/rules/connection_values.h"
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

/// Only what ends an option has its backslash taken: the others are the expression's.
std::string unescaped_semicolons(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ';' && !out.empty() && out.back() == '\\') out.pop_back();
    out += c;
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

/// The variables that a condition uses.
std::vector<Variable> variables_of(const Condition& c) {
  std::vector<Variable> out;
  std::visit(
      [&](const auto& what) {
        const auto add = [&](Variable v) {
          if (v != kNoVariable) out.push_back(v);
        };
        if constexpr (requires { what.offset_variable; }) {
          for (const Variable v : {what.offset_variable, what.depth_variable, what.distance_variable, what.within_variable}) add(v);
        }
        if constexpr (requires { what.read; }) {
          add(what.read.bytes_variable);
          add(what.read.offset_variable);
        }
        if constexpr (requires { what.value_variable; }) add(what.value_variable);
        if constexpr (requires { what.bytes_variable; }) add(what.bytes_variable);
      },
      c.what);
  return out;
}

bool is_absent(const Condition& c) { return std::holds_alternative<Absent>(c.what); }

}  // namespace

std::vector<Condition>& RuleBuilder::conditions() { return decoded_ ? std::get<Base64>(rule_.conditions[*base64_].what).decoded : rule_.conditions; }

Content* RuleBuilder::last_content() { return content_ ? &std::get<Content>(conditions()[*content_].what) : nullptr; }

Subject RuleBuilder::subject_before() const {
  if (decoded_ || !is_stream(subject_.buffer) || rule_.conditions.empty() || is_absent(rule_.conditions.back())) return subject_;
  return rule_.conditions.back().subject;
}

Parsed<bool> RuleBuilder::push(Condition condition) {
  for (const Variable v : variables_of(condition)) {
    if (variable_subjects_[static_cast<std::size_t>(v)] != condition.subject)
      return fault("the variable '" + rule_.variables[static_cast<std::size_t>(v)] + "' was read from another buffer");
  }
  while (variable_subjects_.size() < rule_.variables.size()) variable_subjects_.push_back(condition.subject);
  conditions().push_back(std::move(condition));
  return true;
}

template <typename What>
Parsed<bool> RuleBuilder::push(Parsed<What> what, Subject subject, int column) {
  if (!what) return std::unexpected(what.error());
  return push(Condition{std::move(subject), std::move(*what), column});
}

Parsed<bool> RuleBuilder::option(std::string_view keyword, std::optional<std::string_view> value, int column) {
  static constexpr std::string_view kOnce[] = {"sid", "rev", "gid", "flow", "dsize", "mptcp.version", "mptcp.subflows", "mptcp.opener", "app-layer-protocol"};
  if (const auto* const once = std::ranges::find(kOnce, keyword); once != std::end(kOnce)) {
    const auto bit = 1U << static_cast<unsigned>(once - std::begin(kOnce));
    if ((given_ & bit) != 0) return fault("it is given twice");
    given_ |= bit;
  }
  return value ? with_value(keyword, trimmed(*value), column) : without_value(keyword, column);
}

/// What follows is about that buffer.
Parsed<bool> RuleBuilder::stick(Buffer buffer) {
  if (auto used = last_buffer_used(); !used) return used;
  decoded_ = false;
  subject_ = {buffer, 0, {}};
  if (is_repeated(buffer)) {
    if (occurrences_[buffer] == 255) return fault("it is named too often");
    subject_.occurrence = occurrences_[buffer]++;
  }
  sticky_at_ = rule_.conditions.size();
  content_.reset();
  return true;
}

Parsed<bool> RuleBuilder::transform(Transform::Kind kind, std::string argument) {
  constexpr std::size_t kMost = 16;
  if (is_stream(subject_.buffer) || decoded_ || rule_.conditions.size() > sticky_at_) return fault("it belongs directly behind a sticky buffer");
  if (subject_.transforms.size() >= kMost) return fault("there are too many transformations");
  subject_.transforms.push_back({kind, std::move(argument)});
  return true;
}

Parsed<bool> RuleBuilder::without_value(std::string_view keyword, int column) {
  if (const auto sticky = sticky_buffer(keyword)) return stick(*sticky);
  if (const auto kind = transform_kind(keyword)) {
    if (*kind == Transform::Kind::kXor || *kind == Transform::Kind::kPcre) return fault("its value is missing");
    return transform(*kind, {});
  }
  if (keyword == "base64_decode") {
    bool known = false;
    return on_the_bytes(keyword, {}, column, known);
  }
  if (keyword == "base64_data") {
    if (!base64_ || decoded_) return fault("it belongs behind a base64_decode, once");
    if (!std::get<Base64>(rule_.conditions[*base64_].what).decoded.empty()) return fault("it belongs behind a base64_decode, once");
    decoded_ = true;
    subject_ = rule_.conditions[*base64_].subject;
    content_.reset();
    return true;
  }
  if (keyword == "absent") return with_value(keyword, {}, column);
  if (keyword == "filestore") return with_value(keyword, "both", column);
  if (keyword == "prefilter") {
    if (conditions().empty()) return fault("it belongs behind a condition");
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
    Condition& c = conditions()[*content_];
    if (decoded_ || !is_stream(c.subject.buffer)) return fault("the content before it has a buffer already");
    if (!variables_of(c).empty()) return fault("a variable that the content before it uses was read from another buffer");
    c.subject.buffer = *modifier;
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
  } else if (among(keyword, {"content",      "pcre",         "sid",         "rev",         "msg",        "depth",         "offset",
                             "distance",     "within",       "byte_test",   "byte_jump",   "isdataat",   "flow",          "flowbits",
                             "bsize",        "dsize",        "urilen",      "threshold",   "classtype",  "mptcp.version", "mptcp.subflows",
                             "mptcp.opener", "byte_extract", "byte_math",   "xbits",       "flowint",    "stream_size",   "filename",
                             "fileext",      "filesize",     "tls.version", "ssl_version", "uricontent", "tag",           "detection_filter"})) {
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
  auto n = number<std::int64_t>(value);
  const auto variable = find_variable(value, rule_.variables);
  const bool may_be_negative = keyword == "distance";
  if (!variable && (!n || *n > 1'048'576 || *n < (may_be_negative ? -1'048'576 : 0)))
    return fault("'" + std::string(value) + "' is no number of octets up to 1048576, and no variable");
  auto& field = keyword == "offset" ? content->offset : keyword == "depth" ? content->depth : keyword == "distance" ? content->distance : content->within;
  if (field) return fault("it is given twice");
  field = variable ? 0 : n;
  if (variable) {
    if (variable_subjects_[static_cast<std::size_t>(*variable)] != conditions()[*content_].subject)
      return fault("the variable '" + std::string(value) + "' was read from another buffer");
    (keyword == "offset"     ? content->offset_variable
     : keyword == "depth"    ? content->depth_variable
     : keyword == "distance" ? content->distance_variable
                             : content->within_variable) = *variable;
  }
  const auto size = static_cast<std::int64_t>(content->bytes.size());
  if (!variable && (keyword == "depth" || keyword == "within") && *n < size)
    return fault("the content of " + std::to_string(size) + " octets does not fit in it");
  if (keyword == "distance" || keyword == "within") content->relative = true;
  if (content->relative && (content->offset || content->depth)) return fault("positions from the beginning and from the match before contradict each other");
  return true;
}

/// `known` is set if the keyword is one of these.
Parsed<bool> RuleBuilder::on_the_bytes(std::string_view keyword, std::string_view value, int column, bool& known) {
  known = true;
  if (keyword == "content") {
    auto added = push(parse_content(value), subject_, column);
    if (added) content_ = conditions().size() - 1;
    return added;
  }
  if (keyword == "uricontent") {
    if (decoded_) return fault("it belongs before base64_data");
    auto added = push(parse_content(value), Subject{Buffer::kHttpUri, 0, {}}, column);
    if (added) content_ = conditions().size() - 1;
    return added;
  }
  if (keyword == "pcre") {
    Subject subject = subject_;
    auto pcre = parse_pcre(value, subject.buffer);
    if (subject.buffer != subject_.buffer) {
      if (decoded_) return fault("a letter names a buffer, and base64_data is the buffer");
      subject = {subject.buffer, 0, {}};
    }
    return push(std::move(pcre), std::move(subject), column);
  }
  // Before sticky buffers there were modifiers: what is relative is about what the match before it was found in.
  const auto pushed = [&](auto parsed) -> Parsed<bool> {
    if (!parsed) return std::unexpected(parsed.error());
    bool relative = false;
    if constexpr (requires { parsed->read; }) {
      relative = parsed->read.relative;
    } else {
      relative = parsed->relative;
    }
    return push(Condition{relative ? subject_before() : subject_, std::move(*parsed), column});
  };
  if (keyword == "byte_test") return pushed(parse_byte_test(value, rule_.variables));
  if (keyword == "byte_jump") return pushed(parse_byte_jump(value, rule_.variables));
  if (keyword == "byte_extract") return pushed(parse_byte_extract(value, rule_.variables));
  if (keyword == "byte_math") return pushed(parse_byte_math(value, rule_.variables));
  if (keyword == "isdataat") return pushed(parse_isdataat(value, rule_.variables));
  if (keyword == "base64_decode") {
    if (decoded_) return fault("what is decoded is not decoded again");
    if (base64_ && std::get<Base64>(rule_.conditions[*base64_].what).decoded.empty()) return fault("nothing is asked of what the one before decodes");
    auto added = pushed(parse_base64_decode(value));
    if (added) base64_ = rule_.conditions.size() - 1;
    return added;
  }
  if (keyword == "bsize") {
    if (decoded_ || is_stream(subject_.buffer)) return fault("it is about the sticky buffer before it, and there is none");
    auto test = number_test(value);
    if (!test) return std::unexpected(test.error());
    return push(Parsed<BufferSize>(BufferSize{*test}), subject_, column);
  }
  if (keyword == "absent") {
    if (!value.empty() && value != "or_else") return fault("it takes or_else, or nothing");
    const Stage stage = info_of(subject_.buffer).stage;
    if (decoded_ || is_stream(subject_.buffer)) return fault("it is about the sticky buffer before it, and there is none");
    if (stage != Stage::kRequestHeaders && stage != Stage::kResponseHeaders && stage != Stage::kClientHello)
      return fault("it is supported for headers of HTTP and the client's hello of TLS only");
    if (rule_.conditions.size() > sticky_at_) return fault("it belongs directly behind a sticky buffer");
    return push(Parsed<Absent>(Absent{value == "or_else"}), subject_, column);
  }
  known = false;
  return true;
}

Parsed<bool> RuleBuilder::on_a_file(std::string_view keyword, std::string_view value, int column, bool& known) {
  known = true;
  if (decoded_ && among(keyword, {"filename", "fileext", "filesize", "filestore", "urilen", "tls.version", "ssl_version", "ssl_state"}))
    return fault("it belongs before base64_data");
  const Subject name{Buffer::kRequestFileName, 0, {}};
  if (keyword == "filename" || keyword == "fileext") {
    auto content = parse_content(value);
    if (!content) return std::unexpected(content.error());
    content->nocase = true;
    if (keyword == "fileext") {
      content->bytes.insert(content->bytes.begin(), std::byte{'.'});
      content->ends = true;
    }
    return push(std::move(content), name, column);
  }
  if (keyword == "filesize") return push(parse_file_size(value), Subject{Buffer::kRequestFileSize, 0, {}}, column);
  if (keyword == "filestore") {
    if (auto fine = check_filestore(value); !fine) return fine;
    return push(Parsed<BufferSize>(BufferSize{}), name, column);  // there is a file
  }
  if (keyword == "tls.version" || keyword == "ssl_version") return push(parse_tls_versions(value), Subject{Buffer::kTlsClientVersion, 0, {}}, column);
  if (keyword == "ssl_state") {
    if (!among(value, {"client_hello", "server_hello"})) return fault("'" + std::string(value) + "' is not supported; there are client_hello and server_hello");
    const Buffer version = value == "client_hello" ? Buffer::kTlsClientVersion : Buffer::kTlsServerVersion;
    return push(Parsed<BufferSize>(BufferSize{}), Subject{version, 1, {}}, column);  // there is such a message
  }
  if (keyword == "urilen") {
    const auto parts = items(value);
    if (parts.size() > 2 || (parts.size() == 2 && !among(parts[1], {"norm", "raw"}))) return fault("it takes a number, and norm or raw");
    auto test = number_test(parts[0]);
    if (!test) return std::unexpected(test.error());
    const Buffer uri = parts.size() == 2 && parts[1] == "raw" ? Buffer::kHttpUriRaw : Buffer::kHttpUri;
    return push(Parsed<BufferSize>(BufferSize{*test}), Subject{uri, 0, {}}, column);
  }
  if (among(keyword, {"tls.subject", "tls.issuerdn", "tls.fingerprint"})) {
    const Buffer buffer = keyword == "tls.subject" ? Buffer::kTlsCertSubject : keyword == "tls.issuerdn" ? Buffer::kTlsCertIssuer : Buffer::kTlsCertFingerprint;
    return push(parse_content(value), Subject{buffer, 0, {}}, column);
  }
  known = false;
  return true;
}

Parsed<bool> RuleBuilder::with_value(std::string_view keyword, std::string_view value, int column) {
  bool known = false;
  if (auto taken = on_the_bytes(keyword, value, column, known); known) return taken;
  if (auto taken = on_a_file(keyword, value, column, known); known) return taken;
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
  if (keyword == "xor") {
    const auto key = quoted(value);
    if (!key) return std::unexpected(key.error());
    auto octets = parse_content("\"|" + std::string(*key) + "|\"");
    if (!octets) return fault("the key stands in hexadecimal digits, two for each octet");
    return transform(Transform::Kind::kXor, {reinterpret_cast<const char*>(octets->bytes.data()), octets->bytes.size()});
  }
  if (keyword == "pcrexform") {
    const auto expression = quoted(value);
    if (!expression) return std::unexpected(expression.error());
    if (expression->empty()) return fault("it is empty");
    return transform(Transform::Kind::kPcre, unescaped_semicolons(*expression));
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
  if (keyword == "ip_proto") {
    if (!among(value, {"6", "tcp", "TCP"})) return fault("'" + std::string(value) + "' is not supported: what is inspected is TCP");
    return true;
  }
  return about_the_connection(keyword, value);
}

Parsed<bool> RuleBuilder::about_the_connection(std::string_view keyword, std::string_view value) {
  const auto append = [](auto parsed, auto& to) -> Parsed<bool> {
    if (!parsed) return std::unexpected(parsed.error());
    to.push_back(std::move(*parsed));
    return true;
  };
  if (keyword == "xbits") {
    if (value != "noalert") return append(parse_xbits(value), rule_.xbits);
    rule_.no_alert = true;
    return true;
  }
  if (keyword == "flowint") return append(parse_flowint(value), rule_.flowints);
  if (keyword == "stream_size") return append(parse_stream_size(value), rule_.stream_sizes);
  if (keyword == "tag") return check_tag(value);
  if (keyword == "app-layer-protocol") {
    const auto speaks = parse_app_protocol(value);
    if (!speaks) return std::unexpected(speaks.error());
    static constexpr std::pair<AppProtocol, Protocol> kProtocols[] = {
        {AppProtocol::kHttp, Protocol::kHttp}, {AppProtocol::kTls, Protocol::kTls}, {AppProtocol::kDns, Protocol::kDns}};
    const auto* const found = std::ranges::find(kProtocols, speaks->protocol, [](const auto& entry) { return entry.first; });
    const bool is_that = found != std::end(kProtocols) && rule_.protocol == found->second;
    const bool is_any = rule_.protocol == Protocol::kIp || rule_.protocol == Protocol::kTcp;
    if (!is_any && is_that == speaks->negated) return fault("the rule's protocol contradicts it");
    rule_.speaks = *speaks;
    return true;
  }
  if (keyword == "flags") return fault("not supported: a stream has no flags of single segments");
  if (sticky_buffer(keyword) || modifier_buffer(keyword) || transform_kind(keyword) ||
      among(keyword, {"nocase", "startswith", "endswith", "rawbytes", "noalert", "mptcp.split", "base64_data", "prefilter"}))
    return fault("it takes no value");
  return fault("not supported");
}

/// A keyword that requests and responses share means the response's part in a rule about what goes to the client.
void RuleBuilder::settle_direction() {
  bool response = rule_.flow.to_client;
  if (!rule_.flow.to_client && !rule_.flow.to_server) {
    bool of_request = false, of_response = false, file_only = true;
    for (const Condition& c : rule_.conditions) {
      const Buffer b = c.subject.buffer;
      if (is_stream(b)) continue;
      file_only = file_only && (b == Buffer::kRequestFileData || b == Buffer::kRequestFileName || b == Buffer::kRequestFileSize);
      if (response_form(b)) continue;
      (direction_of(info_of(b).stage) == Direction::kToClient ? of_response : of_request) = true;
    }
    response = (of_response && !of_request) || file_only;
  }
  if (!response) return;
  for (Condition& c : rule_.conditions) {
    const bool the_clients = c.subject.buffer == Buffer::kTlsClientVersion && c.subject.occurrence == 1;  // ssl_state
    if (const auto form = response_form(c.subject.buffer); form && !the_clients) c.subject.buffer = *form;
  }
}

/// What is relative without a match before it on its buffer counts from the beginning.
Parsed<bool> RuleBuilder::settle_positions(std::vector<Condition>& conditions) {
  std::map<Subject, bool> begun;
  for (Condition& c : conditions) {
    bool& after_match = begun[c.subject];
    bool* const relative = relative_of(c);
    auto* const content = std::get_if<Content>(&c.what);
    if (relative != nullptr && *relative && !after_match) {
      *relative = false;
      if (content != nullptr) {
        const std::int64_t distance = content->distance.value_or(0);
        content->offset = std::max<std::int64_t>(0, distance);
        if (content->within) content->depth = *content->within + std::min<std::int64_t>(0, distance);
        content->offset_variable = content->distance_variable;
        content->depth_variable = content->within_variable;
        content->distance_variable = content->within_variable = kNoVariable;
        const bool fits =
            content->depth_variable == kNoVariable ? !content->depth || *content->depth >= static_cast<std::int64_t>(content->bytes.size()) : distance >= 0;
        if (!fits) return fault("a content with a negative distance has no match before it, and does not fit in what is left of within");
        content->distance = content->within = std::nullopt;
      }
    }
    if (auto* const base64 = std::get_if<Base64>(&c.what)) {
      if (auto settled = settle_positions(base64->decoded); !settled) return settled;
    }
    const bool moves = std::holds_alternative<ByteJump>(c.what) || std::holds_alternative<ByteExtract>(c.what) || std::holds_alternative<ByteMath>(c.what) ||
                       std::holds_alternative<Pcre>(c.what) || (content != nullptr && !content->negated);
    after_match |= moves;
  }
  return true;
}

Parsed<bool> RuleBuilder::last_buffer_used() {
  if (decoded_ && conditions().empty()) return fault("nothing is asked of base64_data");
  if (is_stream(subject_.buffer) || rule_.conditions.size() > sticky_at_) return true;
  return fault("nothing is asked of " + std::string(info_of(subject_.buffer).keyword));
}

/// What is absent has nothing else that could be asked of it.
Parsed<bool> RuleBuilder::check_absences() const {
  for (const Condition& c : rule_.conditions) {
    const auto* const absent = std::get_if<Absent>(&c.what);
    if (absent == nullptr) continue;
    const auto asked = std::ranges::count(rule_.conditions, c.subject, &Condition::subject);
    if (absent->or_else && asked < 2) return fault("absent: or_else needs something else that is asked of the buffer");
    if (!absent->or_else && asked > 1) return fault("absent: the rule asks more of the buffer");
  }
  return true;
}

Parsed<bool> RuleBuilder::finish() {
  if (rule_.sid == 0) return fault("it has no sid");
  if (auto used = last_buffer_used(); !used) return used;
  if (base64_ && std::get<Base64>(rule_.conditions[*base64_].what).decoded.empty()) return fault("base64_decode without base64_data");
  if (auto fine = check_absences(); !fine) return fine;
  settle_direction();
  return settle_positions(rule_.conditions);
}

}  // namespace weir::inspect::rules
