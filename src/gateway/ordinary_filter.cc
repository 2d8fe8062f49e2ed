// The filter that lets an offloaded flow's ordinary packets by without being queued.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "gateway/kernel_rules.h"

namespace weir::gateway {
namespace {

// Opcodes of classic BPF (RFC 9669 does not have them; linux/filter.h), those that are used.
enum Op : std::uint16_t {
  kLoadWord = 0x40,  ///< A = 32 bits at X + k
  kLoadHalf = 0x48,
  kLoadByte = 0x50,
  kLoadByteAt = 0x30,  ///< A = octet at k
  kLoadScratch = 0x60,
  kStore = 0x02,
  kHeaderLength = 0xb1,  ///< X = 4 * (low nibble at k)
  kLoadX = 0x01,
  kAdd = 0x04,
  kAddX = 0x0c,
  kSubtractX = 0x1c,
  kAnd = 0x54,
  kShiftRight = 0x74,
  kToX = 0x07,
  kFromX = 0x87,
  kIfEqual = 0x15,
  kIfAtLeast = 0x35,
  kIfAny = 0x45,
  kReturn = 0x06,
};

constexpr std::uint32_t kEnd = 0;  ///< scratch: where the TCP header ends

/// Purpose: an assembler for forward jumps to one of two ends, or over the next few instructions.
class Program {
 public:
  enum class To : std::uint8_t { kNext, kYes, kNo, kLabel };

  void add(Op op, std::uint32_t k = 0) { lines_.push_back({op, To::kNext, To::kNext, k}); }
  void jump(Op op, std::uint32_t k, To if_true, To if_false) { lines_.push_back({op, if_true, if_false, k}); }
  /// Where the jumps to kLabel go that were added since the last call.
  void label() {
    for (; labelled_ < lines_.size(); ++labelled_) lines_[labelled_].label = lines_.size();
  }

  std::string text() const {
    const std::size_t yes = lines_.size(), no = yes + 1;
    std::string out = fmt::format("{}", lines_.size() + 2);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const auto distance = [&](To to) { return to == To::kNext ? 0 : (to == To::kYes ? yes : to == To::kNo ? no : lines_[i].label) - i - 1; };
      out += fmt::format(",{} {} {} {}", static_cast<unsigned>(lines_[i].op), distance(lines_[i].if_true), distance(lines_[i].if_false), lines_[i].k);
    }
    return out + fmt::format(",{} 0 0 1,{} 0 0 0", static_cast<unsigned>(kReturn), static_cast<unsigned>(kReturn));
  }

 private:
  struct Line {
    Op op;
    To if_true, if_false;
    std::uint32_t k;
    std::size_t label = 0;
  };
  std::vector<Line> lines_;
  std::size_t labelled_ = 0;
};

using To = Program::To;

/// X is at an option: that is the end of the header: an ordinary packet.
void yes_at_end(Program& p) {
  p.add(kLoadScratch, kEnd);
  p.add(kSubtractX);
  p.jump(kIfEqual, 0, To::kYes, To::kNext);
}

}  // namespace

// A load beyond the packet ends the program with 0: the packet is judged. So do options in another order than hosts write them, and whatever else
// this program has no time for: it has 64 instructions at most.
std::string ordinary_filter(Family family) {
  constexpr std::uint32_t kFinSynRst = 0x07, kTcp = 6, kIpv6Header = 40, kTcpHeader = 20, kSack = 5, kMptcp = 30, kDss = 0x20, kDataFin = 0x10;
  constexpr std::uint32_t kNopNop = 0x0101, kNopNopTimestamps = 0x0101'080a, kTimestampsBytes = 12, kShortestDss = 8;
  Program p;
  if (family == Family::kIpv4) {
    p.add(kHeaderLength);
  } else {
    p.add(kLoadByteAt, 6);
    p.jump(kIfEqual, kTcp, To::kNext, To::kNo);
    p.add(kLoadX, kIpv6Header);
  }
  p.add(kLoadByte, 13);
  p.jump(kIfAny, kFinSynRst, To::kNo, To::kNext);
  p.add(kLoadByte, 12);
  p.add(kAnd, 0xf0);
  p.add(kShiftRight, 2);
  p.add(kAddX);
  p.add(kStore, kEnd);
  p.add(kFromX);
  p.add(kAdd, kTcpHeader);
  p.add(kToX);
  yes_at_end(p);

  p.add(kLoadWord);
  p.jump(kIfEqual, kNopNopTimestamps, To::kNext, To::kLabel);
  p.add(kFromX);
  p.add(kAdd, kTimestampsBytes);
  p.add(kToX);
  yes_at_end(p);
  p.label();

  p.add(kLoadHalf);
  p.jump(kIfEqual, kNopNop, To::kNext, To::kLabel);
  p.add(kLoadByte, 2);
  p.jump(kIfEqual, kSack, To::kNext, To::kNo);
  p.add(kLoadByte, 3);
  p.add(kAdd, 2);
  p.add(kAddX);
  p.add(kToX);
  yes_at_end(p);
  p.label();

  p.add(kLoadByte);
  p.jump(kIfEqual, kMptcp, To::kNext, To::kNo);
  p.add(kLoadByte, 2);
  p.add(kAnd, 0xf0);
  p.jump(kIfEqual, kDss, To::kNext, To::kNo);
  p.add(kLoadByte, 3);
  p.jump(kIfAny, kDataFin, To::kNo, To::kNext);
  p.add(kLoadByte, 1);
  p.jump(kIfAtLeast, kShortestDss, To::kNext, To::kNo);
  p.add(kAddX);
  p.add(kToX);
  yes_at_end(p);
  // A DSS of 26 octets is padded by two NOPs.
  p.jump(kIfEqual, 2, To::kNext, To::kNo);
  p.add(kLoadHalf);
  p.jump(kIfEqual, kNopNop, To::kYes, To::kNo);
  return p.text();
}

}  // namespace weir::gateway
