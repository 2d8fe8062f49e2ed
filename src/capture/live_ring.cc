#include "capture/live_ring.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace weir::capture {
namespace {

constexpr std::size_t kBlock = 1 << 20;  // holds the largest super-packet with room to spare

std::unexpected<Error> failed(const std::string& interface, std::string what, int error) {
  std::string hint;
  if (error == EPERM || error == EACCES) hint = "CAP_NET_RAW is needed";
  return std::unexpected(Error{.file = interface, .offset = 0, .what = std::move(what) + ": " + std::strerror(error), .hint = std::move(hint)});
}

std::optional<LinkType> link_of(unsigned short hardware) {
  switch (hardware) {
    case ARPHRD_ETHER:
    case ARPHRD_LOOPBACK:
      return LinkType::kEthernet;
    case ARPHRD_NONE:
    case ARPHRD_PPP:
    case ARPHRD_TUNNEL:
    case ARPHRD_TUNNEL6:
    case ARPHRD_SIT:
    case ARPHRD_IPGRE:
      return LinkType::kRaw;
    default:
      return std::nullopt;
  }
}

template <typename Value>
bool set(int descriptor, int name, const Value& value) {
  return ::setsockopt(descriptor, SOL_PACKET, name, &value, sizeof value) == 0;
}

}  // namespace

std::expected<std::unique_ptr<LiveRing>, Error> LiveRing::open(const std::string& interface, const LiveSettings& settings) {
  if (interface.empty() || interface.size() >= IFNAMSIZ)
    return std::unexpected(Error{.file = interface, .offset = 0, .what = "an interface's name has 1 to 15 octets", .hint = {}});
  // Protocol 0: nothing comes in before the ring is there and the socket bound to its interface.
  std::unique_ptr<LiveRing> ring(new LiveRing(interface, ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
  if (ring->descriptor_ < 0) return failed(interface, "cannot be captured on", errno);
  ifreq request{};
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  if (::ioctl(ring->descriptor_, SIOCGIFINDEX, &request) != 0) return failed(interface, "no such interface", errno);
  const int number = request.ifr_ifindex;
  ring->number_ = static_cast<unsigned>(number);
  if (::ioctl(ring->descriptor_, SIOCGIFHWADDR, &request) != 0) return failed(interface, "has no hardware type", errno);
  const auto link = link_of(request.ifr_hwaddr.sa_family);
  if (!link) return std::unexpected(Error{.file = interface, .offset = 0, .what = "is neither Ethernet nor IP", .hint = {}});
  ring->link_ = *link;
  ring->skip_outgoing_ = request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;

  if (!set(ring->descriptor_, PACKET_VERSION, int{TPACKET_V3})) return failed(interface, "the kernel has no TPACKET_V3", errno);
  tpacket_req3 wanted{};
  wanted.tp_block_size = kBlock;
  wanted.tp_block_nr = static_cast<unsigned>(std::max<std::size_t>(2, (settings.ring_bytes + kBlock - 1) / kBlock));
  wanted.tp_frame_size = TPACKET_ALIGNMENT << 7U;
  wanted.tp_frame_nr = wanted.tp_block_size / wanted.tp_frame_size * wanted.tp_block_nr;
  wanted.tp_retire_blk_tov = settings.block_timeout_ms;
  if (!set(ring->descriptor_, PACKET_RX_RING, wanted)) return failed(interface, "the kernel gives no ring", errno);
  ring->blocks_ = wanted.tp_block_nr;
  void* const mapped = ::mmap(nullptr, ring->blocks_ * kBlock, PROT_READ | PROT_WRITE, MAP_SHARED, ring->descriptor_, 0);
  if (mapped == MAP_FAILED) return failed(interface, "the ring cannot be mapped", errno);
  ring->ring_ = static_cast<std::byte*>(mapped);

  if (settings.promiscuous) {
    packet_mreq membership{};
    membership.mr_ifindex = number;
    membership.mr_type = PACKET_MR_PROMISC;
    set(ring->descriptor_, PACKET_ADD_MEMBERSHIP, membership);  // some have no such mode: they show what they have
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = number;
  if (::bind(ring->descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed(interface, "cannot be bound to", errno);
  if (const int error = ring->take_error(); error != 0) return failed(interface, "cannot be captured on", error);
  return ring;
}

LiveRing::~LiveRing() {
  if (ring_ != nullptr) ::munmap(ring_, blocks_ * kBlock);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void LiveRing::release_block() {
  auto* const head = reinterpret_cast<tpacket_block_desc*>(ring_ + block_ * kBlock);
  std::atomic_ref(head->hdr.bh1.block_status).store(TP_STATUS_KERNEL, std::memory_order_release);
  block_ = (block_ + 1) % blocks_;
  block_done_ = false;
}

std::size_t LiveRing::next_batch(std::span<RawPacket> packets, PointId point) {
  if (block_done_) release_block();
  std::byte* const block = ring_ + block_ * kBlock;
  auto* const head = reinterpret_cast<tpacket_block_desc*>(block);
  if (packets_left_ == 0) {
    if ((std::atomic_ref(head->hdr.bh1.block_status).load(std::memory_order_acquire) & TP_STATUS_USER) == 0) return 0;
    packets_left_ = head->hdr.bh1.num_pkts;
    next_offset_ = head->hdr.bh1.offset_to_first_pkt;
    block_done_ = packets_left_ == 0;  // handed over because its time was up
  }
  std::size_t count = 0;
  while (packets_left_ > 0 && count < packets.size()) {
    const auto* const frame = reinterpret_cast<const tpacket3_hdr*>(block + next_offset_);
    const auto* const from = reinterpret_cast<const sockaddr_ll*>(block + next_offset_ + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
    next_offset_ += frame->tp_next_offset;
    block_done_ = --packets_left_ == 0;
    if (skip_outgoing_ && from->sll_pkttype == PACKET_OUTGOING) continue;
    RawPacket& packet = packets[count++];
    packet.bytes = {reinterpret_cast<const std::byte*>(frame) + frame->tp_mac, frame->tp_snaplen};
    packet.original_bytes = frame->tp_len;
    packet.time_ns = static_cast<TimeNs>(frame->tp_sec) * 1'000'000'000 + frame->tp_nsec;
    packet.link = link_;
    packet.point = point;
    packet.stays = false;
  }
  return count;
}

LiveCounters LiveRing::counters() {
  tpacket_stats_v3 since{};
  socklen_t size = sizeof since;
  // Reading sets them to nothing.
  if (::getsockopt(descriptor_, SOL_PACKET, PACKET_STATISTICS, &since, &size) == 0) {
    counters_.packets += since.tp_packets;
    counters_.dropped += since.tp_drops;
    counters_.freezes += since.tp_freeze_q_cnt;
  }
  return counters_;
}

bool LiveRing::gone() const { return ::if_nametoindex(interface_.c_str()) != number_; }

int LiveRing::take_error() {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace weir::capture
