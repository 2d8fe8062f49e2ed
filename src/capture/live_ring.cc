#include "capture/live_ring.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
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
#include <ctime>
#include <optional>
#include <utility>

#include "capture/kernel_filter.h"

namespace weir::capture {
namespace {

constexpr std::size_t kBlock = 1 << 20;  // holds the largest super-packet with room to spare
constexpr std::size_t kTagBytes = 4;     // IEEE 802.1Q: protocol and tag
constexpr TimeNs kSecond = 1'000'000'000;
/// An interface's clock this far from the system's runs free, or shows TAI: its times cannot stand in the log.
constexpr TimeNs kClockOff = 2 * kSecond;

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

bool attach(int descriptor, std::vector<sock_filter>& code) {
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  return ::setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/// Asks the interface for its own times on all packets. Only where no one else uses its clock: a setting of another program stays as it is.
bool hardware_stamps(int descriptor, const std::string& interface) {
  hwtstamp_config config{};
  ifreq request{};
  std::memcpy(request.ifr_name, interface.data(), interface.size());
  request.ifr_data = reinterpret_cast<char*>(&config);
  if (::ioctl(descriptor, SIOCGHWTSTAMP, &request) != 0) return false;
  if (config.rx_filter == HWTSTAMP_FILTER_ALL) return true;
  if (config.rx_filter != HWTSTAMP_FILTER_NONE) return false;
  config.rx_filter = HWTSTAMP_FILTER_ALL;
  return ::ioctl(descriptor, SIOCSHWTSTAMP, &request) == 0 && config.rx_filter == HWTSTAMP_FILTER_ALL;
}

TimeNs system_now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<TimeNs>(now.tv_sec) * kSecond + now.tv_nsec;
}

}  // namespace

std::expected<std::vector<std::unique_ptr<LiveRing>>, Error> LiveRing::open(const std::string& interface, const LiveSettings& settings) {
  if (interface.empty() || interface.size() >= IFNAMSIZ)
    return std::unexpected(Error{.file = interface, .offset = 0, .what = "an interface's name has 1 to 15 octets", .hint = {}});
  std::vector<std::unique_ptr<LiveRing>> rings;
  std::uint16_t group = 0;
  for (std::size_t i = 0; i < settings.rings; ++i) {
    // Protocol 0: nothing comes in before the ring is there and the socket bound to its interface.
    std::unique_ptr<LiveRing> ring(new LiveRing(interface, ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)));
    if (ring->descriptor_ < 0) return failed(interface, "cannot be captured on", errno);
    if (const auto opened = ring->open_one(settings); !opened) return std::unexpected(opened.error());
    if (const auto started = ring->start(settings, group, i == 0); !started) return std::unexpected(started.error());
    rings.push_back(std::move(ring));
  }
  // A group is joined after binding, and members change who gets what: until all are there none shows anything.
  if (settings.rings > 1) {
    for (const auto& ring : rings) {
      if (!ring->use_filter(!settings.filter)) return failed(interface, "the kernel takes no filter", errno);
    }
  }
  return rings;
}

std::expected<void, Error> LiveRing::open_one(const LiveSettings& settings) {
  ifreq request{};
  std::memcpy(request.ifr_name, interface_.data(), interface_.size());
  if (::ioctl(descriptor_, SIOCGIFINDEX, &request) != 0) return failed(interface_, "no such interface", errno);
  number_ = static_cast<unsigned>(request.ifr_ifindex);
  if (::ioctl(descriptor_, SIOCGIFHWADDR, &request) != 0) return failed(interface_, "has no hardware type", errno);
  const auto link = link_of(request.ifr_hwaddr.sa_family);
  if (!link) return std::unexpected(Error{.file = interface_, .offset = 0, .what = "is neither Ethernet nor IP", .hint = {}});
  link_ = *link;
  skip_outgoing_ = request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;

  if (!set(descriptor_, PACKET_VERSION, int{TPACKET_V3})) return failed(interface_, "the kernel has no TPACKET_V3", errno);
  if (!set(descriptor_, PACKET_RESERVE, unsigned{kTagBytes})) return failed(interface_, "the kernel gives no room for VLAN tags", errno);
  // Where the interface has no time of its own for a packet, it has the kernel's.
  if (settings.hardware_times && hardware_stamps(descriptor_, interface_)) set(descriptor_, PACKET_TIMESTAMP, int{SOF_TIMESTAMPING_RAW_HARDWARE});
  tpacket_req3 wanted{};
  const std::size_t bytes = std::max(settings.ring_bytes / settings.rings, kLeastRing);
  wanted.tp_block_size = kBlock;
  wanted.tp_block_nr = static_cast<unsigned>((bytes + kBlock - 1) / kBlock);
  wanted.tp_frame_size = TPACKET_ALIGNMENT << 7U;
  wanted.tp_frame_nr = wanted.tp_block_size / wanted.tp_frame_size * wanted.tp_block_nr;
  wanted.tp_retire_blk_tov = settings.block_timeout_ms;
  if (!set(descriptor_, PACKET_RX_RING, wanted)) return failed(interface_, "the kernel gives no ring", errno);
  blocks_ = wanted.tp_block_nr;
  void* const mapped = ::mmap(nullptr, blocks_ * kBlock, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  if (mapped == MAP_FAILED) return failed(interface_, "the ring cannot be mapped", errno);
  ring_ = static_cast<std::byte*>(mapped);
  return {};
}

/// `group`: the kernel's number of the rings that share the interface's packets; the first ring gets it.
std::expected<void, Error> LiveRing::start(const LiveSettings& settings, std::uint16_t& group, bool first) {
  const bool several = settings.rings > 1;
  if (several) {
    auto nothing = reject_all_filter();
    if (!attach(descriptor_, nothing)) return failed(interface_, "the kernel takes no filter", errno);
  } else if (settings.filter && !use_filter(false)) {
    return failed(interface_, "the kernel takes no filter", errno);
  }
  if (settings.promiscuous) {
    packet_mreq membership{};
    membership.mr_ifindex = static_cast<int>(number_);
    membership.mr_type = PACKET_MR_PROMISC;
    set(descriptor_, PACKET_ADD_MEMBERSHIP, membership);  // some have no such mode: they show what they have
  }
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(number_);
  if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return failed(interface_, "cannot be bound to", errno);
  if (const int error = take_error(); error != 0) return failed(interface_, "cannot be captured on", error);
  if (!several) return {};
  // By a symmetric hash of addresses and ports, of fragments by that of addresses: so both directions of a flow, and all fragments of a
  // datagram, come to one ring. Without the kernel's defragmenting: ours judges overlaps, and drops nothing unseen.
  const unsigned how = PACKET_FANOUT_HASH | (first ? PACKET_FANOUT_FLAG_UNIQUEID : 0U);
  if (!set(descriptor_, PACKET_FANOUT, std::uint32_t{how << 16U | group})) return failed(interface_, "the kernel divides no packets among rings", errno);
  if (first) {
    std::uint32_t joined = 0;
    socklen_t size = sizeof joined;
    if (::getsockopt(descriptor_, SOL_PACKET, PACKET_FANOUT, &joined, &size) != 0)
      return failed(interface_, "the kernel divides no packets among rings", errno);
    group = static_cast<std::uint16_t>(joined);
  }
  return {};
}

bool LiveRing::use_filter(bool all) {
  if (all) {
    const int none = 0;
    return ::setsockopt(descriptor_, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof none) == 0;
  }
  auto code = kernel_filter(link_);
  return attach(descriptor_, code);
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
    block_seen_ns_ = 0;
  }
  std::size_t count = 0;
  while (packets_left_ > 0 && count < packets.size()) {
    auto* const frame = reinterpret_cast<tpacket3_hdr*>(block + next_offset_);
    const auto* const from = reinterpret_cast<const sockaddr_ll*>(block + next_offset_ + TPACKET_ALIGN(sizeof(tpacket3_hdr)));
    next_offset_ += frame->tp_next_offset;
    block_done_ = --packets_left_ == 0;
    if (skip_outgoing_ && from->sll_pkttype == PACKET_OUTGOING) continue;
    RawPacket& packet = packets[count++];
    std::byte* const start = reinterpret_cast<std::byte*>(frame) + frame->tp_mac;
    packet.bytes = {start, frame->tp_snaplen};
    packet.original_bytes = frame->tp_len;
    packet.time_ns = static_cast<TimeNs>(frame->tp_sec) * kSecond + frame->tp_nsec;
    if ((frame->tp_status & TP_STATUS_TS_RAW_HARDWARE) != 0) packet.time_ns = checked(packet.time_ns);
    packet.link = link_;
    packet.point = point;
    packet.stays = false;
    if ((frame->tp_status & TP_STATUS_VLAN_VALID) != 0 && link_ == LinkType::kEthernet) {
      const bool named = (frame->tp_status & TP_STATUS_VLAN_TPID_VALID) != 0;
      restore_tag(packet, start, named ? frame->hv1.tp_vlan_tpid : ETH_P_8021Q, static_cast<std::uint16_t>(frame->hv1.tp_vlan_tci));
    }
    counters_.bytes += packet.original_bytes;
  }
  return count;
}

/// The kernel keeps a frame's outermost tag beside it: back to where it was. The room before the frame is ours (PACKET_RESERVE).
void LiveRing::restore_tag(RawPacket& packet, std::byte* start, std::uint16_t protocol, std::uint16_t tag) const {
  constexpr std::size_t kAddresses = 12;
  if (packet.bytes.size() < kAddresses) return;
  std::byte* const moved = start - kTagBytes;
  std::memmove(moved, start, kAddresses);
  const std::uint16_t words[2] = {htons(protocol), htons(tag)};
  std::memcpy(moved + kAddresses, words, sizeof words);
  packet.bytes = {moved, packet.bytes.size() + kTagBytes};
  packet.original_bytes += kTagBytes;
}

/// The interface's time of a packet, or the system's of now, if the two clocks have nothing to do with each other; then the kernel's are
/// asked for from now on.
TimeNs LiveRing::checked(TimeNs hardware) {
  if (block_seen_ns_ == 0) block_seen_ns_ = system_now();
  if (hardware > block_seen_ns_ - kClockOff && hardware < block_seen_ns_ + kClockOff) return hardware;
  if (counters_.clock_off++ == 0) set(descriptor_, PACKET_TIMESTAMP, 0);
  return block_seen_ns_;
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

int LiveRing::take_error() {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

}  // namespace weir::capture
