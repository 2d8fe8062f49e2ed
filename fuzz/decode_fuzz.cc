// Two captured packets, from the link header to the TCP options, with reassembly of fragments between them. The first octet
// selects the link type, the second how much the snap length cut, the next two how long the first packet is.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "wire/decode.h"
#include "wire/defragment.h"

namespace {

using namespace weir;
using namespace weir::wire;

constexpr LinkType kLinks[] = {
    LinkType::kEthernet, LinkType::kNull,     LinkType::kPpp,  LinkType::kRaw,  LinkType::kLoop,      LinkType::kLinuxSll,
    LinkType::kPppHdlc,  LinkType::kPppEther, LinkType::kIpv4, LinkType::kIpv6, LinkType::kLinuxSll2, LinkType::kUnsupported,
};

void require(bool holds) {
  if (!holds) std::abort();
}

bool within(Bytes part, Bytes whole) {
  return part.empty() || (!std::less<>()(part.data(), whole.data()) && !std::less<>()(std::to_address(whole.end()), std::to_address(part.end())));
}

/// What holds of every decoded packet.
void check(const Decoded& out) {
  switch (out.kind) {
    case Kind::kTcp: {
      const TcpSegment& tcp = out.tcp;
      require(out.error == DecodeError::kNone);
      require(tcp.header.size() >= 20 && tcp.options.size() <= 40);
      require(within(tcp.header, out.ip) && within(tcp.options, tcp.header) && within(tcp.payload, out.ip));
      require(tcp.payload.size() <= tcp.payload_bytes);
      const ChecksumState state = check_tcp_checksum(out);
      require((state == ChecksumState::kUnknown) == (out.ip.size() < out.ip_bytes));
      bool found = false;
      for (OptionWalker walk(tcp.options); const auto option = walk.next(30);) {
        require(within(*option, tcp.options) && !option->empty());
        found = true;
      }
      require(found == tcp.has_mptcp);
      break;
    }
    case Kind::kFragment:
      require(within(out.fragment.payload, out.ip) && within(out.fragment.header, out.ip));
      require(out.fragment.payload.size() <= out.fragment.payload_bytes);
      break;
    case Kind::kOtherIp:
      require(out.ip_version == 4 || out.ip_version == 6);
      break;
    case Kind::kNotIp:
      break;
    case Kind::kBad:
      require(out.error != DecodeError::kNone);
      break;
  }
  if (out.ip_version != 0) require(out.ip.size() <= out.ip_bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ByteReader in(std::as_bytes(std::span(data, size)));
  const LinkType link = kLinks[in.u8() % std::size(kLinks)];
  const std::uint32_t cut = in.u8();
  const std::size_t first = in.u16();
  if (!in.ok()) return 0;

  Defragmenter defragmenter({.max_datagrams = 2, .max_bytes = 1U << 16U});
  Decoded out;
  TimeNs now = 0;
  for (const std::size_t octets : {std::min(first, in.remaining()), std::size_t{65536}}) {
    // A copy of its own, so that a read past the end is one past an allocation.
    const Bytes view = in.take(std::min(octets, in.remaining()));
    const std::vector<std::byte> packet(view.begin(), view.end());
    decode({.bytes = packet, .original_bytes = static_cast<std::uint32_t>(packet.size()) + cut, .time_ns = now, .link = link, .point = 0, .stays = false}, out);
    check(out);
    // A reassembled datagram may hold a tunnel that holds a fragment, and so on.
    for (int depth = 0; depth < 4 && out.kind == Kind::kFragment; ++depth) {
      const auto result = defragmenter.push(out, 0, now, out);
      require(defragmenter.counters().bytes_held <= 1U << 16U);
      if (result != Defragmenter::Result::kComplete) break;
      check(out);
    }
    now += 1'000'000'000;
  }
  return 0;
}
