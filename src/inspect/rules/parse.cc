#include "inspect/rules/parse.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "inspect/rules/groups.h"
#include "inspect/rules/numbers.h"
#include "inspect/rules/rule_builder.h"

namespace weir::inspect::rules {
namespace {

/// A rule's text and where it stands; lines that a backslash joins are one.
struct Line {
  std::string text;
  int number = 0;
};

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> out;
  Line current;
  int number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (current.text.empty()) current.number = number;
    const bool comment = current.text.empty() && trimmed(line).starts_with('#');
    if (!comment && line.ends_with('\\')) {
      current.text += line.substr(0, line.size() - 1);
      continue;
    }
    if (!comment) current.text += line;
    if (!trimmed(current.text).empty()) out.push_back(std::move(current));
    current = {};
  }
  if (!trimmed(current.text).empty()) out.push_back(std::move(current));
  return out;
}

/// Purpose: one rule's text, from left to right.
class Reader {
 public:
  Reader(const Line& line, const Variables& variables, Rule& rule) : text_(line.text), variables_(variables), rule_(rule) {}

  /// Nothing: the rule is read.
  std::optional<Refusal> read() {
    if (auto refused = read_header()) return refused;
    return read_options();
  }

 private:
  Refusal refuse(std::size_t at, std::string_view keyword, std::string why) const {
    return {.file = {}, .line = 0, .column = static_cast<int>(at) + 1, .keyword = std::string(keyword), .why = std::move(why)};
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  /// The next word; one in brackets may hold blanks.
  std::string_view word() {
    skip_blanks();
    const std::size_t begin = at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '[') ++depth;
      if (c == ']') --depth;
      if (depth <= 0 && (c == ' ' || c == '\t' || c == '(')) break;
    }
    return text_.substr(begin, at_ - begin);
  }

  std::optional<Refusal> read_header() {
    skip_blanks();
    std::size_t begin = at_;
    const std::string_view action = word();
    static constexpr std::pair<std::string_view, Action> kActions[] = {
        {"alert", Action::kAlert},      {"drop", Action::kDrop},         {"reject", Action::kReject}, {"rejectsrc", Action::kReject},
        {"rejectdst", Action::kReject}, {"rejectboth", Action::kReject}, {"pass", Action::kPass}};
    const auto* const known = std::ranges::find(kActions, action, [](const auto& entry) { return entry.first; });
    if (known == std::end(kActions)) {
      Refusal refused = refuse(begin, "", "'" + std::string(action) + "' is no action: alert, drop, reject or pass");
      refused.no_rule = true;
      return refused;
    }
    rule_.action = known->second;

    skip_blanks();
    begin = at_;
    const std::string_view protocol = word();
    static constexpr std::pair<std::string_view, Protocol> kProtocols[] = {
        {"ip", Protocol::kIp},      {"tcp", Protocol::kTcp}, {"tcp-stream", Protocol::kTcp}, {"http", Protocol::kHttp},
        {"http1", Protocol::kHttp}, {"tls", Protocol::kTls}, {"ssl", Protocol::kTls},        {"dns", Protocol::kDns}};
    const auto* const spoken = std::ranges::find(kProtocols, protocol, [](const auto& entry) { return entry.first; });
    if (spoken == std::end(kProtocols)) return refuse(begin, protocol, "the protocol is not supported");
    rule_.protocol = spoken->second;

    if (auto refused = read_ends(rule_.src, rule_.src_port)) return refused;
    skip_blanks();
    begin = at_;
    const std::string_view arrow = word();
    if (arrow != "->" && arrow != "<>") return refuse(begin, "", "'" + std::string(arrow) + "' is no direction: -> or <>");
    rule_.both_ways = arrow == "<>";
    if (auto refused = read_ends(rule_.dst, rule_.dst_port)) return refused;
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != '(') return refuse(at_, "", "the options' opening '(' is missing");
    ++at_;
    return std::nullopt;
  }

  std::optional<Refusal> read_ends(AddressGroup& addresses, PortGroup& ports) {
    skip_blanks();
    std::size_t begin = at_;
    auto parsed = parse_addresses(word(), variables_);
    if (!parsed) return refuse(begin, "", parsed.error().why);
    addresses = std::move(*parsed);
    skip_blanks();
    begin = at_;
    auto parsed_ports = parse_ports(word(), variables_);
    if (!parsed_ports) return refuse(begin, "", parsed_ports.error().why);
    ports = std::move(*parsed_ports);
    return std::nullopt;
  }

  std::optional<Refusal> read_options() {
    RuleBuilder builder(rule_);
    for (;;) {
      skip_blanks();
      if (at_ >= text_.size()) return refuse(at_, "", "the closing ')' is missing");
      if (text_[at_] == ')') break;
      const std::size_t begin = at_;
      std::size_t end = begin;
      while (end < text_.size() && text_[end] != ';') end += text_[end] == '\\' ? 2 : 1;
      if (end >= text_.size()) return refuse(begin, trimmed(text_.substr(begin, text_.find_first_of(":;)", begin) - begin)), "its closing ';' is missing");
      const std::string_view option = text_.substr(begin, end - begin);
      at_ = end + 1;
      const auto colon = option.find(':');
      const std::string_view keyword = trimmed(option.substr(0, colon));
      if (keyword.empty()) return refuse(begin, "", "an option without a name");
      const auto value = colon == std::string_view::npos ? std::nullopt : std::optional(option.substr(colon + 1));
      if (auto taken = builder.option(keyword, value, static_cast<int>(begin) + 1); !taken) return refuse(begin, keyword, taken.error().why);
    }
    const std::size_t behind = text_.find_first_not_of(" \t", at_ + 1);
    if (behind != std::string_view::npos && text_[behind] != '#') return refuse(behind, "", "something stands behind the rule's end");
    if (auto finished = builder.finish(); !finished) return refuse(0, "", finished.error().why);
    return std::nullopt;
  }

  std::string_view text_;
  const Variables& variables_;
  Rule& rule_;
  std::size_t at_ = 0;
};

}  // namespace

Variables default_variables() {
  Variables v{{"HOME_NET", "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]"},
              {"EXTERNAL_NET", "!$HOME_NET"},
              {"HTTP_PORTS", "80"},
              {"SHELLCODE_PORTS", "!80"},
              {"ORACLE_PORTS", "1521"},
              {"SSH_PORTS", "22"},
              {"DNP3_PORTS", "20000"},
              {"MODBUS_PORTS", "502"},
              {"FILE_DATA_PORTS", "[$HTTP_PORTS,110,143]"},
              {"FTP_PORTS", "21"},
              {"GENEVE_PORTS", "6081"},
              {"VXLAN_PORTS", "4789"},
              {"TEREDO_PORTS", "3544"},
              {"SIP_PORTS", "[5060,5061]"}};
  for (const char* const servers : {"HTTP_SERVERS", "SMTP_SERVERS", "SQL_SERVERS", "DNS_SERVERS", "TELNET_SERVERS", "DC_SERVERS", "DNP3_SERVER", "DNP3_CLIENT",
                                    "MODBUS_CLIENT", "MODBUS_SERVER", "ENIP_CLIENT", "ENIP_SERVER", "FTP_SERVERS", "SSH_SERVERS", "SIP_SERVERS"})
    v.emplace(servers, "$HOME_NET");
  v.emplace("AIM_SERVERS", "$EXTERNAL_NET");
  return v;
}

void drop_duplicates(std::vector<Rule>& rules, std::vector<Refusal>& refusals) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> known;
  std::vector<bool> gone(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const auto [entry, fresh] = known.try_emplace({rules[i].gid, rules[i].sid}, i);
    if (fresh) continue;
    const std::size_t loser = rules[i].rev > rules[entry->second].rev ? std::exchange(entry->second, i) : i;
    gone[loser] = true;
    const Rule& winner = rules[entry->second];
    refusals.push_back({rules[loser].file, rules[loser].line, 1, "sid",
                        "the same sid is in " + winner.file + ":" + std::to_string(winner.line) + ", with rev " + std::to_string(winner.rev)});
  }
  std::vector<Rule> kept;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (!gone[i]) kept.push_back(std::move(rules[i]));
  }
  rules = std::move(kept);
}

RuleFile parse(std::string_view text, const std::string& file, const Variables& variables) {
  RuleFile out;
  for (const Line& line : lines_of(text)) {
    Rule rule;
    rule.file = file;
    rule.line = line.number;
    if (auto refused = Reader(line, variables, rule).read()) {
      refused->file = file;
      refused->line = line.number;
      out.refusals.push_back(std::move(*refused));
    } else {
      out.rules.push_back(std::move(rule));
    }
  }
  drop_duplicates(out.rules, out.refusals);
  return out;
}

}  // namespace weir::inspect::rules
