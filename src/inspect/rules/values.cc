#include "inspect/rules/values.h"

#include <algorithm>
#include <cctype>

#include "inspect/rules/keyword_buffers.h"
#include "inspect/rules/numbers.h"

namespace weir::inspect::rules {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool take_negation(std::string_view& value) {
  value = trimmed(value);
  if (!value.starts_with('!')) return false;
  value = trimmed(value.substr(1));
  return true;
}

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

bool is_name(std::string_view text) {
  const auto letter = [](char c) { return c == '_' || c == '.' || c == '-' || std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) == 0 && text.front() != '-' && std::ranges::all_of(text, letter);
}

std::pair<std::string_view, std::string_view> first_word(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return {text, {}};
  return {text.substr(0, space), trimmed(text.substr(space))};
}

/// The words that the keywords which read numbers share. False: it is none of them.
Parsed<bool> read_word(std::string_view word, ByteRead& read) {
  const auto [name, rest] = first_word(word);
  if (word == "relative") {
    read.relative = true;
  } else if (word == "big" || word == "little") {
    read.endian = word == "big" ? Endian::kBig : Endian::kLittle;
  } else if (name == "endian" && (rest == "big" || rest == "little")) {
    read.endian = rest == "big" ? Endian::kBig : Endian::kLittle;
  } else if (word == "string") {
    if (read.string_base == 0) read.string_base = 10;
  } else if (word == "hex" || word == "dec" || word == "oct") {
    read.string_base = word == "hex" ? 16 : word == "dec" ? 10 : 8;
  } else if (name == "string" && (rest == "hex" || rest == "dec" || rest == "oct")) {
    read.string_base = rest == "hex" ? 16 : rest == "dec" ? 10 : 8;
  } else if (name == "bitmask") {
    const auto mask = number<std::uint64_t>(rest);
    if (!mask || *mask == 0) return fault("bitmask needs a number other than 0");
    read.bitmask = *mask;
  } else {
    return false;
  }
  return true;
}

Parsed<ByteRead> read_of(std::string_view count, std::string_view offset, const VariableNames& names) {
  ByteRead read;
  if (const auto variable = find_variable(count, names)) {
    read.bytes_variable = *variable;
  } else {
    const auto bytes = number<std::uint32_t>(count);
    if (!bytes || *bytes == 0 || *bytes > 23) return fault(in_quotes(count) + " is no number of octets from 1 to 23, and no variable");
    read.bytes = *bytes;
  }
  if (const auto variable = find_variable(offset, names)) {
    read.offset_variable = *variable;
  } else {
    const auto at = number<std::int64_t>(offset);
    if (!at || *at < -65'535 || *at > 65'535) return fault(in_quotes(offset) + " is no offset from -65535 to 65535, and no variable");
    read.offset = *at;
  }
  return read;
}

Parsed<bool> check_read(const ByteRead& read) {
  if (read.string_base == 0 && read.bytes > 8) return fault("a binary number has at most 8 octets");
  return true;
}

Parsed<std::uint32_t> multiplier_of(std::string_view text) {
  const auto by = number<std::uint32_t>(text);
  if (!by || *by == 0 || *by > 65'535) return fault("multiplier is a number from 1 to 65535");
  return *by;
}

/// A name that a number is given.
Parsed<Variable> new_variable(std::string_view name, VariableNames& names) {
  if (!is_name(name)) return fault(in_quotes(name) + " is no name of a variable");
  if (find_variable(name, names)) return fault("the variable " + in_quotes(name) + " is there already");
  if (names.size() >= kMostVariables) return fault("a rule has at most " + std::to_string(kMostVariables) + " variables");
  names.emplace_back(name);
  return static_cast<Variable>(names.size() - 1);
}

}  // namespace

std::vector<std::string_view> items(std::string_view text, char between) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto end = text.find(between);
    out.push_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return out;
    text.remove_prefix(end + 1);
  }
}

Parsed<std::string_view> quoted(std::string_view text) {
  text = trimmed(text);
  if (!text.starts_with('"')) return text;
  if (text.size() < 2 || !text.ends_with('"')) return fault("the closing quote is missing");
  return text.substr(1, text.size() - 2);
}

Parsed<Content> parse_content(std::string_view value) {
  Content content;
  content.negated = take_negation(value);
  if (!value.starts_with('"')) return fault("a content stands in quotes");
  const auto text = quoted(value);
  if (!text) return std::unexpected(text.error());
  bool hex = false;
  int high = -1;
  for (std::size_t i = 0; i < text->size(); ++i) {
    const char c = (*text)[i];
    if (hex) {
      if (c == '|') {
        if (high >= 0) return fault("an odd number of hexadecimal digits");
        hex = false;
      } else if (const int digit = hex_digit(c); digit >= 0) {
        if (high < 0) {
          high = digit;
        } else {
          content.bytes.push_back(static_cast<std::byte>(high * 16 + digit));
          high = -1;
        }
      } else if (c != ' ' || high >= 0) {
        return fault(std::string("'") + c + "' is no hexadecimal digit");
      }
      continue;
    }
    if (c == '|') {
      hex = true;
    } else if (c == '\\') {
      if (i + 1 == text->size()) return fault("a backslash at the end");
      const char next = (*text)[++i];
      if (next != ';' && next != '"' && next != '\\' && next != ':' && next != '|')
        return fault(std::string("'\\") + next + "' is no escape; there are \\; \\\" \\\\ \\:");
      content.bytes.push_back(static_cast<std::byte>(next));
    } else if (c == '"') {
      return fault("a quote within has a backslash before it");
    } else {
      content.bytes.push_back(static_cast<std::byte>(c));
    }
  }
  if (hex) return fault("the closing | is missing");
  if (content.bytes.empty()) return fault("it is empty");
  return content;
}

Parsed<Pcre> parse_pcre(std::string_view value, Buffer& buffer) {
  Pcre pcre;
  pcre.negated = take_negation(value);
  if (!value.starts_with('"')) return fault("an expression stands in quotes");
  if (!value.ends_with('"')) return fault("what stands behind the expression (capturing to variables) is not supported");
  const auto text = quoted(value);
  if (!text) return std::unexpected(text.error());
  std::string_view rest = *text;
  char delimiter = '/';
  if (rest.starts_with("m") && rest.size() > 1) {
    delimiter = rest[1];
    rest.remove_prefix(1);
  }
  if (rest.empty() || rest[0] != delimiter) return fault("an expression begins with '/'");
  const auto end = rest.rfind(delimiter);
  if (end == 0) return fault("the closing '/' is missing");
  for (const char c : rest.substr(1, end - 1)) {
    if (c == ';' && !pcre.expression.empty() && pcre.expression.back() == '\\') pcre.expression.pop_back();
    pcre.expression += c;
  }
  if (pcre.expression.empty()) return fault("it is empty");
  for (const char flag : rest.substr(end + 1)) {
    switch (flag) {
      case 'i':
        pcre.caseless = true;
        break;
      case 's':
        pcre.dotall = true;
        break;
      case 'm':
        pcre.multiline = true;
        break;
      case 'x':
        pcre.extended = true;
        break;
      case 'A':
        pcre.anchored = true;
        break;
      case 'E':
        pcre.dollar_endonly = true;
        break;
      case 'G':
        pcre.ungreedy = true;
        break;
      case 'R':
        pcre.relative = true;
        break;
      case 'O':  // Suricata: no match limit; there is one here
      case 'B':
        break;
      default:
        if (const auto named = pcre_buffer(flag)) {
          buffer = *named;
          break;
        }
        return fault(std::string("the flag '") + flag + "' is not supported");
    }
  }
  return pcre;
}

std::optional<Variable> find_variable(std::string_view text, const VariableNames& names) {
  const auto found = std::ranges::find(names, text);
  return found == names.end() ? std::nullopt : std::optional(static_cast<Variable>(found - names.begin()));
}

Parsed<ByteTest> parse_byte_test(std::string_view value, const VariableNames& names) {
  const auto parts = items(value);
  if (parts.size() < 4) return fault("it takes at least: octets, operator, value, offset");
  ByteTest test;
  const auto read = read_of(parts[0], parts[3], names);
  if (!read) return std::unexpected(read.error());
  test.read = *read;
  std::string_view op = parts[1];
  test.negated = take_negation(op);
  static constexpr std::pair<std::string_view, Compare> kOperators[] = {{"=", Compare::kEqual},      {"<", Compare::kLess},          {">", Compare::kGreater},
                                                                        {"<=", Compare::kLessEqual}, {">=", Compare::kGreaterEqual}, {"&", Compare::kAnd},
                                                                        {"^", Compare::kOr}};
  if (op.empty() && test.negated) op = "=";
  const auto* const found = std::ranges::find(kOperators, op, [](const auto& entry) { return entry.first; });
  if (found == std::end(kOperators)) return fault(in_quotes(op) + " is no operator");
  test.compare = found->second;
  if (const auto variable = find_variable(parts[2], names)) {
    test.value_variable = *variable;
  } else {
    const auto with = number<std::uint64_t>(parts[2]);
    if (!with) return fault(in_quotes(parts[2]) + " is no number, and no variable");
    test.value = *with;
  }
  for (std::size_t i = 4; i < parts.size(); ++i) {
    const auto known = read_word(parts[i], test.read);
    if (!known) return std::unexpected(known.error());
    if (!*known) return fault(in_quotes(parts[i]) + " is not supported");
  }
  if (auto fine = check_read(test.read); !fine) return std::unexpected(fine.error());
  return test;
}

Parsed<ByteJump> parse_byte_jump(std::string_view value, const VariableNames& names) {
  const auto parts = items(value);
  if (parts.size() < 2) return fault("it takes at least: octets, offset");
  ByteJump jump;
  const auto read = read_of(parts[0], parts[1], names);
  if (!read) return std::unexpected(read.error());
  jump.read = *read;
  for (std::size_t i = 2; i < parts.size(); ++i) {
    const auto known = read_word(parts[i], jump.read);
    if (!known) return std::unexpected(known.error());
    if (*known) continue;
    const auto [name, rest] = first_word(parts[i]);
    if (name == "multiplier") {
      const auto by = multiplier_of(rest);
      if (!by) return std::unexpected(by.error());
      jump.multiplier = *by;
    } else if (name == "post_offset") {
      const auto by = number<std::int64_t>(rest);
      if (!by || *by < -65'535 || *by > 65'535) return fault("post_offset is a number from -65535 to 65535");
      jump.post_offset = *by;
    } else if (parts[i] == "align") {
      jump.align = true;
    } else if (parts[i] == "from_beginning") {
      jump.from_beginning = true;
    } else if (parts[i] == "from_end") {
      jump.from_end = true;
    } else {
      return fault(in_quotes(parts[i]) + " is not supported");
    }
  }
  if (auto fine = check_read(jump.read); !fine) return std::unexpected(fine.error());
  return jump;
}

Parsed<ByteExtract> parse_byte_extract(std::string_view value, VariableNames& names) {
  const auto parts = items(value);
  if (parts.size() < 3) return fault("it takes at least: octets, offset, variable");
  ByteExtract extract;
  const auto read = read_of(parts[0], parts[1], names);
  if (!read) return std::unexpected(read.error());
  extract.read = *read;
  for (std::size_t i = 3; i < parts.size(); ++i) {
    const auto known = read_word(parts[i], extract.read);
    if (!known) return std::unexpected(known.error());
    if (*known) continue;
    const auto [name, rest] = first_word(parts[i]);
    if (name == "multiplier") {
      const auto by = multiplier_of(rest);
      if (!by) return std::unexpected(by.error());
      extract.multiplier = *by;
    } else if (name == "align") {
      const auto to = number<std::uint32_t>(rest);
      if (!to || (*to != 2 && *to != 4)) return fault("align is 2 or 4");
      extract.align = *to;
    } else {
      return fault(in_quotes(parts[i]) + " is not supported");
    }
  }
  if (auto fine = check_read(extract.read); !fine) return std::unexpected(fine.error());
  const auto result = new_variable(parts[2], names);
  if (!result) return std::unexpected(result.error());
  extract.result = *result;
  return extract;
}

Parsed<ByteMath> parse_byte_math(std::string_view value, VariableNames& names) {
  static constexpr std::pair<std::string_view, Arithmetic> kOperations[] = {{"+", Arithmetic::kAdd},        {"-", Arithmetic::kSubtract},
                                                                            {"*", Arithmetic::kMultiply},   {"/", Arithmetic::kDivide},
                                                                            {"<<", Arithmetic::kShiftLeft}, {">>", Arithmetic::kShiftRight}};
  ByteMath math;
  ByteRead words;
  std::string_view bytes, offset, operation, with, result;
  for (const std::string_view part : items(value)) {
    const auto known = read_word(part, words);
    if (!known) return std::unexpected(known.error());
    if (*known) continue;
    const auto [name, rest] = first_word(part);
    std::string_view* const field = name == "bytes"    ? &bytes
                                    : name == "offset" ? &offset
                                    : name == "oper"   ? &operation
                                    : name == "rvalue" ? &with
                                    : name == "result" ? &result
                                                       : nullptr;
    if (field == nullptr) return fault(in_quotes(part) + " is not supported");
    if (!field->empty()) return fault(std::string(name) + " is given twice");
    *field = rest;
  }
  if (bytes.empty() || offset.empty() || operation.empty() || with.empty() || result.empty()) return fault("it takes bytes, offset, oper, rvalue and result");
  const auto read = read_of(bytes, offset, names);
  if (!read) return std::unexpected(read.error());
  math.read = *read;
  math.read.relative = words.relative;
  math.read.endian = words.endian;
  math.read.string_base = words.string_base;
  math.read.bitmask = words.bitmask;
  const auto* const found = std::ranges::find(kOperations, operation, [](const auto& entry) { return entry.first; });
  if (found == std::end(kOperations)) return fault(in_quotes(operation) + " is no operator");
  math.operation = found->second;
  if (const auto variable = find_variable(with, names)) {
    math.value_variable = *variable;
  } else {
    const auto n = number<std::uint64_t>(with);
    if (!n) return fault(in_quotes(with) + " is no number, and no variable");
    if (*n == 0 && math.operation == Arithmetic::kDivide) return fault("a division by 0");
    math.value = *n;
  }
  if (auto fine = check_read(math.read); !fine) return std::unexpected(fine.error());
  const auto into = new_variable(result, names);
  if (!into) return std::unexpected(into.error());
  math.result = *into;
  return math;
}

Parsed<Base64> parse_base64_decode(std::string_view value) {
  Base64 out;
  if (value.empty()) return out;
  for (const std::string_view part : items(value)) {
    const auto [name, rest] = first_word(part);
    if (part == "relative") {
      out.relative = true;
      continue;
    }
    if (name != "bytes" && name != "offset") return fault(in_quotes(part) + " is not supported");
    const auto n = number<std::uint64_t>(rest);
    if (!n || *n > 65'535 || (name == "bytes" && *n == 0)) return fault(std::string(name) + " is a number up to 65535");
    (name == "bytes" ? out.bytes : out.offset) = *n;
  }
  return out;
}

Parsed<IsDataAt> parse_isdataat(std::string_view value, const VariableNames& names) {
  IsDataAt test;
  test.negated = take_negation(value);
  const auto parts = items(value);
  if (const auto variable = find_variable(parts[0], names)) {
    test.bytes_variable = *variable;
  } else {
    const auto bytes = number<std::uint64_t>(parts[0]);
    if (!bytes || *bytes > 65'535) return fault(in_quotes(parts[0]) + " is no number of octets up to 65535, and no variable");
    test.bytes = *bytes;
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i] == "relative") {
      test.relative = true;
    } else if (parts[i] != "rawbytes") {
      return fault(in_quotes(parts[i]) + " is not supported");
    }
  }
  if (!test.relative) ++test.bytes;  // Suricata: there is an octet at that offset
  return test;
}

Parsed<Flow> parse_flow(std::string_view value) {
  Flow flow;
  for (const std::string_view word : items(value)) {
    if (word == "to_server" || word == "from_client") {
      flow.to_server = true;
    } else if (word == "to_client" || word == "from_server") {
      flow.to_client = true;
    } else if (word == "established") {
      flow.established = true;
    } else if (word == "not_established") {
      return fault("not_established is not supported: what is inspected is what a connection delivered");
    } else if (word == "stateless") {
      flow.stateless = true;
    } else if (word == "only_stream") {
      flow.only_stream = true;
    } else if (word == "no_stream") {
      flow.no_stream = true;
    } else if (word != "no_frag" && word != "only_frag") {
      return fault(in_quotes(word) + " is no word of it");
    } else {
      return fault(in_quotes(word) + " is not supported: a stream has no fragments");
    }
  }
  if (flow.only_stream && flow.no_stream) return fault("only_stream and no_stream contradict each other");
  if (flow.to_server && flow.to_client) return fault("to_server and to_client contradict each other");
  if (flow.established && flow.stateless) return fault("established and stateless contradict each other");
  return flow;
}

Parsed<FlowBits> parse_flowbits(std::string_view value) {
  using Operation = FlowBits::Operation;
  const auto parts = items(value);
  static constexpr std::pair<std::string_view, Operation> kOperations[] = {{"set", Operation::kSet},           {"unset", Operation::kUnset},
                                                                           {"toggle", Operation::kToggle},     {"isset", Operation::kIsSet},
                                                                           {"isnotset", Operation::kIsNotSet}, {"noalert", Operation::kNoAlert}};
  const auto* const found = std::ranges::find(kOperations, parts[0], [](const auto& entry) { return entry.first; });
  if (found == std::end(kOperations)) return fault(in_quotes(parts[0]) + " is none of set, unset, toggle, isset, isnotset, noalert");
  FlowBits bits;
  bits.operation = found->second;
  if (bits.operation == Operation::kNoAlert) {
    if (parts.size() != 1) return fault("noalert takes no name");
    return bits;
  }
  if (parts.size() != 2 || parts[1].empty()) return fault(std::string(parts[0]) + " takes one name");
  for (const std::string_view name : items(parts[1], '|')) bits.names.emplace_back(name);
  const bool tests = bits.operation == Operation::kIsSet || bits.operation == Operation::kIsNotSet;
  if (bits.names.size() > 1 && !tests) return fault("only isset and isnotset take several names");
  return bits;
}

Parsed<Threshold> parse_threshold(std::string_view value, bool detection_filter) {
  Threshold out;
  bool has_type = detection_filter, has_track = false, has_count = false, has_seconds = false;
  if (detection_filter) out.kind = Threshold::Kind::kDetectionFilter;
  for (const std::string_view part : items(value)) {
    const auto [name, rest] = first_word(part);
    if (name == "type" && !detection_filter) {
      if (rest == "limit") {
        out.kind = Threshold::Kind::kLimit;
      } else if (rest == "threshold") {
        out.kind = Threshold::Kind::kThreshold;
      } else if (rest == "both") {
        out.kind = Threshold::Kind::kBoth;
      } else {
        return fault("type " + in_quotes(rest) + " is not supported");
      }
      has_type = true;
    } else if (name == "track") {
      if (rest == "by_src") {
        out.track = Threshold::Track::kBySource;
      } else if (rest == "by_dst") {
        out.track = Threshold::Track::kByDestination;
      } else if (rest == "by_rule") {
        out.track = Threshold::Track::kByRule;
      } else if (rest == "by_both") {
        out.track = Threshold::Track::kByBoth;
      } else {
        return fault("track " + in_quotes(rest) + " is not supported");
      }
      has_track = true;
    } else if (name == "count" || name == "seconds") {
      const auto n = number<std::uint32_t>(rest);
      if (!n || *n == 0) return fault(std::string(name) + " is a number from 1 on");
      (name == "count" ? out.count : out.seconds) = *n;
      (name == "count" ? has_count : has_seconds) = true;
    } else {
      return fault(in_quotes(part) + " is not supported");
    }
  }
  if (!has_type || !has_track || !has_count || !has_seconds)
    return fault(detection_filter ? "it takes track, count and seconds" : "it takes type, track, count and seconds");
  return out;
}

}  // namespace weir::inspect::rules
