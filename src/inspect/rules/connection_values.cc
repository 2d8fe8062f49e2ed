#include "inspect/rules/connection_values.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "inspect/rules/numbers.h"
#include "inspect/rules/values.h"

namespace weir::inspect::rules {
namespace {

std::string in_quotes(std::string_view text) { return "'" + std::string(text) + "'"; }

template <typename Table>
const auto* entry_of(const Table& table, std::string_view name) {
  const auto* const found = std::ranges::find(table, name, [](const auto& entry) { return entry.first; });
  return found == std::end(table) ? nullptr : found;
}

bool all_among(std::string_view value, std::initializer_list<std::string_view> words) {
  return std::ranges::all_of(items(value), [&](std::string_view item) { return std::ranges::find(words, item) != words.end(); });
}

}  // namespace

Parsed<XBits> parse_xbits(std::string_view value) {
  using Operation = XBits::Operation;
  static constexpr std::pair<std::string_view, Operation> kOperations[] = {
      {"set", Operation::kSet}, {"unset", Operation::kUnset}, {"toggle", Operation::kToggle}, {"isset", Operation::kIsSet}, {"isnotset", Operation::kIsNotSet}};
  static constexpr std::pair<std::string_view, XBits::Track> kTracks[] = {
      {"ip_src", XBits::Track::kSource}, {"ip_dst", XBits::Track::kDestination}, {"ip_pair", XBits::Track::kPair}};
  const auto parts = items(value);
  if (parts.size() < 3 || parts.size() > 4) return fault("it takes an operation, a name, track, and for some expire");
  XBits bits;
  const auto* const operation = entry_of(kOperations, parts[0]);
  if (operation == nullptr) return fault(in_quotes(parts[0]) + " is none of set, unset, toggle, isset, isnotset");
  bits.operation = operation->second;
  if (parts[1].empty()) return fault("the name is missing");
  bits.name = parts[1];
  const auto space = parts[2].find(' ');
  if (space == std::string_view::npos || parts[2].substr(0, space) != "track") return fault(in_quotes(parts[2]) + " is no track");
  const auto* const track = entry_of(kTracks, trimmed(parts[2].substr(space)));
  if (track == nullptr) return fault(in_quotes(parts[2]) + " is not supported; there are ip_src, ip_dst and ip_pair");
  bits.track = track->second;
  if (parts.size() == 4) {
    const auto blank = parts[3].find(' ');
    const auto seconds = blank == std::string_view::npos ? std::nullopt : number<std::uint32_t>(parts[3].substr(blank));
    if (!seconds || *seconds == 0 || parts[3].substr(0, blank) != "expire") return fault(in_quotes(parts[3]) + " is no expire with seconds from 1 on");
    bits.expire_s = *seconds;
  }
  return bits;
}

Parsed<FlowInt> parse_flowint(std::string_view value) {
  using Operation = FlowInt::Operation;
  struct Meaning {
    Operation operation;
    Compare compare = Compare::kEqual;
  };
  static constexpr std::pair<std::string_view, Meaning> kModifiers[] = {{"=", {Operation::kAssign}},
                                                                        {"+", {Operation::kAdd}},
                                                                        {"-", {Operation::kSubtract}},
                                                                        {"isset", {Operation::kIsSet}},
                                                                        {"notset", {Operation::kIsNotSet}},
                                                                        {"isnotset", {Operation::kIsNotSet}},
                                                                        {"==", {Operation::kCompare, Compare::kEqual}},
                                                                        {"!=", {Operation::kCompare, Compare::kNotEqual}},
                                                                        {"<", {Operation::kCompare, Compare::kLess}},
                                                                        {">", {Operation::kCompare, Compare::kGreater}},
                                                                        {"<=", {Operation::kCompare, Compare::kLessEqual}},
                                                                        {">=", {Operation::kCompare, Compare::kGreaterEqual}}};
  const auto parts = items(value);
  if (parts.size() < 2 || parts.size() > 3 || parts[0].empty()) return fault("it takes a name, a modifier, and for most a value");
  const auto* const found = entry_of(kModifiers, parts[1]);
  if (found == nullptr) return fault(in_quotes(parts[1]) + " is no modifier");
  FlowInt out;
  out.name = parts[0];
  out.operation = found->second.operation;
  out.compare = found->second.compare;
  const bool asks = out.operation == Operation::kIsSet || out.operation == Operation::kIsNotSet;
  if (asks != (parts.size() == 2)) return fault(asks ? std::string(parts[1]) + " takes no value" : std::string(parts[1]) + " takes a value");
  if (asks) return out;
  if (const auto n = number<std::uint32_t>(parts[2])) {
    out.value = *n;
  } else if (!parts[2].empty() && std::isalpha(static_cast<unsigned char>(parts[2].front())) != 0) {
    out.value_name = parts[2];
  } else {
    return fault(in_quotes(parts[2]) + " is neither a number of 32 bits nor a name");
  }
  return out;
}

Parsed<StreamSize> parse_stream_size(std::string_view value) {
  static constexpr std::pair<std::string_view, StreamSize::Side> kSides[] = {
      {"client", StreamSize::Side::kClient}, {"server", StreamSize::Side::kServer}, {"both", StreamSize::Side::kBoth}, {"either", StreamSize::Side::kEither}};
  const auto parts = items(value);
  if (parts.size() != 3) return fault("it takes a side, an operator and a number");
  const auto* const side = entry_of(kSides, parts[0]);
  if (side == nullptr) return fault(in_quotes(parts[0]) + " is none of client, server, both, either");
  StreamSize out;
  out.side = side->second;
  if (!number<std::uint64_t>(parts[2])) return fault(in_quotes(parts[2]) + " is no number");
  static constexpr std::pair<std::string_view, std::string_view> kOperators[] = {{"<", "<"}, {">", ">"}, {"<=", "<="}, {">=", ">="}, {"=", ""}, {"!=", "!"}};
  const auto* const how = entry_of(kOperators, parts[1]);
  if (how == nullptr) return fault(in_quotes(parts[1]) + " is no operator");
  const auto test = number_test(std::string(how->second) + std::string(parts[2]));
  if (!test) return fault("no size can be so");
  out.size = *test;
  return out;
}

Parsed<Speaks> parse_app_protocol(std::string_view value) {
  static constexpr std::pair<std::string_view, AppProtocol> kNames[] = {
      {"http", AppProtocol::kHttp}, {"http1", AppProtocol::kHttp}, {"tls", AppProtocol::kTls}, {"dns", AppProtocol::kDns}, {"failed", AppProtocol::kFailed}};
  Speaks out;
  if (value.starts_with('!')) {
    out.negated = true;
    value = trimmed(value.substr(1));
  }
  const auto* const found = entry_of(kNames, value);
  if (found == nullptr) return fault(in_quotes(value) + " is not supported");
  out.protocol = found->second;
  return out;
}

Parsed<NumberIn> parse_tls_versions(std::string_view value) {
  static constexpr std::pair<std::string_view, std::uint16_t> kNames[] = {{"sslv2", 0x0002},  {"sslv3", 0x0300},  {"tls1.0", 0x0301}, {"tls1.1", 0x0302},
                                                                          {"tls1.2", 0x0303}, {"tls1.3", 0x0304}, {"1.0", 0x0301},    {"1.1", 0x0302},
                                                                          {"1.2", 0x0303},    {"1.3", 0x0304}};
  NumberIn out;
  bool first = true;
  for (std::string_view item : items(value)) {
    const bool negated = item.starts_with('!');
    if (negated) item = trimmed(item.substr(1));
    if (!first && negated != out.negated) return fault("versions with and without ! contradict one another");
    out.negated = negated;
    first = false;
    const auto text = quoted(item);
    if (!text) return std::unexpected(text.error());
    const auto* const found = entry_of(kNames, *text);
    const auto n = found != nullptr ? std::optional(found->second) : text->starts_with("0x") ? number<std::uint16_t>(*text) : std::nullopt;
    if (!n) return fault(in_quotes(item) + " is no version");
    out.any_of.push_back({*n, *n, false});
  }
  return out;
}

Parsed<NumberIn> parse_file_size(std::string_view value) {
  // Units behind digits become digits: the forms are then those of every number.
  std::string plain;
  std::string digits;
  const auto flush = [&](std::uint64_t unit) -> bool {
    if (digits.empty()) return unit == 1;
    const auto n = number<std::uint64_t>(digits);
    if (!n || *n > ~0ULL / unit) return false;
    plain += std::to_string(*n * unit);
    digits.clear();
    return true;
  };
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      digits += c;
      continue;
    }
    if (c == ' ') continue;
    std::uint64_t unit = 1;
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      const char letter = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      unit = letter == 'K' ? 1ULL << 10U : letter == 'M' ? 1ULL << 20U : letter == 'G' ? 1ULL << 30U : 0;
      std::size_t end = i + 1;
      if (end < value.size() && (value[end] == 'i' || value[end] == 'I')) ++end;
      if (end < value.size() && (value[end] == 'B' || value[end] == 'b')) ++end;
      if (unit == 0 || end == i + 1) return fault(in_quotes(value) + " has a unit that is none of KB, MB, GB");
      i = end - 1;
    }
    if (!flush(unit)) return fault(in_quotes(value) + " is no size");
    if (unit == 1) plain += c;
  }
  if (!flush(1)) return fault(in_quotes(value) + " is no size");
  const auto test = number_test(plain);
  if (!test) return std::unexpected(test.error());
  return NumberIn{{*test}, false};
}

Parsed<bool> check_filestore(std::string_view value) {
  if (!all_among(value, {"request", "response", "both", "to_server", "to_client", "file", "tx", "ssn", "flow"}))
    return fault(in_quotes(value) + " is no direction and scope");
  return true;
}

Parsed<bool> check_tag(std::string_view value) {
  const auto parts = items(value);
  if (parts[0] != "session" && parts[0] != "host") return fault("it begins with session or host");
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const bool word = all_among(parts[i], {"packets", "bytes", "seconds", "src", "dst"});
    if (!word && !number<std::uint32_t>(parts[i])) return fault(in_quotes(parts[i]) + " is neither a number nor a unit of it");
  }
  return true;
}

}  // namespace weir::inspect::rules
