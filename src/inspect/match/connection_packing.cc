// An idle connection's matcher as few octets, and back.
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "inspect/match/connection_matcher.h"

namespace weir::inspect::match {
namespace {

enum Flag : std::uint8_t { kPassed = 1, kLimited = 2, kToServer = 4, kToClient = 8 };
enum SideFlag : std::uint8_t { kGroup = 1, kEnded = 2, kFromStart = 4 };

void put_plans(CompactWriter& out, const std::vector<std::uint32_t>& plans) {
  out.number(plans.size());
  for (const std::uint32_t plan : plans) out.number(plan);
}

std::vector<std::uint32_t> take_plans(CompactReader& in) {
  std::vector<std::uint32_t> plans;
  for (std::uint64_t left = in.number(); left != 0 && in.ok(); --left) plans.push_back(static_cast<std::uint32_t>(in.number()));
  return plans;
}

std::string take_name(CompactReader& in) {
  const auto octets = in.bytes();
  return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

}  // namespace

bool ConnectionMatcher::pack_into(CompactWriter& out) const {
  for (const auto& s : sides_) {
    if (!s) continue;
    const std::size_t scanner = s->scan.packed().size();
    if ((s->waiting && !s->waiting->only_told()) || (s->scan.is_open() && scanner == 0) || scanner > CompactWriter::kMostBytes) return false;
  }
  out.octet(static_cast<std::uint8_t>((passed_ ? kPassed : 0) | (limited_ ? kLimited : 0) | (sides_[0] ? kToServer : 0) | (sides_[1] ? kToClient : 0)));
  for (const auto& s : sides_) {
    if (!s) continue;
    out.octet(static_cast<std::uint8_t>((s->group != nullptr ? kGroup : 0) | (s->ended ? kEnded : 0) | (s->scan_base == 0 ? kFromStart : 0)));
    if (s->group != nullptr) {
      for (const std::uint16_t port : s->ports) {
        out.octet(static_cast<std::uint8_t>(port >> 8U));
        out.octet(static_cast<std::uint8_t>(port));
      }
    }
    if (s->scan_base != 0) out.number(s->scan_base);
    out.number(s->next);
    out.number(s->decided);
    s->provenance.pack_into(out);
    out.bytes(s->history);
    out.bytes_like(std::as_bytes(s->scan.packed()), s->history);
    put_plans(out, s->waiting ? s->waiting->told : std::vector<std::uint32_t>{});
    put_plans(out, s->waiting ? s->waiting->counting : std::vector<std::uint32_t>{});
  }
  out.number(flowbits_.size());
  for (const std::string& name : flowbits_) out.bytes(std::as_bytes(std::span(name)));
  out.number(flowints_.size());
  for (const auto& [name, value] : flowints_) {
    out.bytes(std::as_bytes(std::span(name)));
    out.number(value);
  }
  return true;
}

void ConnectionMatcher::unpack(CompactReader& in) {
  const std::uint8_t flags = in.octet();
  passed_ = (flags & kPassed) != 0;
  limited_ = (flags & kLimited) != 0;
  for (const Direction d : {Direction::kToServer, Direction::kToClient}) {
    if ((flags & (d == Direction::kToServer ? kToServer : kToClient)) == 0) continue;
    Side& s = opened(d);
    const std::uint8_t side_flags = in.octet();
    s.ended = (side_flags & kEnded) != 0;
    if ((side_flags & kGroup) != 0) {
      for (std::uint16_t& port : s.ports) {
        const unsigned high = in.octet();
        port = static_cast<std::uint16_t>(high << 8U | in.octet());
      }
      s.group = &rules_->group(d, s.ports[0], s.ports[1]);
    }
    if ((side_flags & kFromStart) == 0) s.scan_base = in.number();
    s.next = in.number();
    s.decided = static_cast<std::uint32_t>(in.number());
    s.provenance.unpack(in);
    const auto history = in.bytes();
    s.history.assign(history.begin(), history.end());
    const auto scanner = in.bytes_like(s.history);
    std::vector<char> packed(scanner.size());
    if (!scanner.empty()) std::memcpy(packed.data(), scanner.data(), scanner.size());
    s.scan.restore(std::move(packed));
    if (auto told = take_plans(in); !told.empty()) waiting(s).told = std::move(told);
    if (auto counting = take_plans(in); !counting.empty()) waiting(s).counting = std::move(counting);
  }
  for (std::uint64_t left = in.number(); left != 0 && in.ok(); --left) flowbits_.insert(take_name(in));
  for (std::uint64_t left = in.number(); left != 0 && in.ok(); --left) {
    std::string name = take_name(in);
    flowints_[std::move(name)] = static_cast<std::uint32_t>(in.number());
  }
}

}  // namespace weir::inspect::match
