// Packets that the kernel holds until it is told what becomes of them (NFQUEUE; nfnetlink_queue).
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/endpoints.h"
#include "base/raw_packet.h"
#include "capture/error.h"
#include "capture/verdict_sender.h"

struct mnl_socket;

namespace weir::capture {

struct NfQueueSettings {
  std::uint16_t number = 0;
  bool fail_open = true;                        ///< what the queue or the receive buffer has no room for passes; else it is dropped
  std::uint32_t most_packets = 16'384;          ///< that wait for a verdict; with those that were not read yet
  std::size_t receive_buffer_bytes = 32 << 20;  ///< asked of the kernel, which counts more than the packets' octets
  bool with_sender = false;                     ///< QueuedPacket::as_sent is asked of conntrack: it costs the kernel time for each packet
  int statistics = -1;                          ///< the kernel's counters of queues (open_statistics), or none; the queue has its own copy
};

/// A packet that waits. Its octets begin with the IP header (LinkType::kRaw), and may be a super-packet of many segments (GSO).
struct QueuedPacket {
  std::uint32_t id = 0;
  RawPacket raw;
  std::uint32_t mark = 0;
  std::uint32_t interface_in = 0, interface_out = 0;  ///< the kernel's numbers; 0: none
  std::optional<Endpoints> as_sent;                   ///< as its sender has addressed it, whatever NAT did since; none: not asked for, or not known
  bool before_routing = false;                        ///< queued there, and not where it is forwarded
};

enum class Verdict : std::uint8_t {
  kDrop,
  kAccept,
  kRepeat,  ///< through the rules of this hook once more: with another mark
};

struct PacketVerdict {
  Verdict verdict = Verdict::kAccept;
  std::optional<std::uint32_t> mark;   ///< none: the packet keeps its own
  std::span<const std::byte> changed;  ///< goes instead, whole and with whole checksums; empty: unchanged
};

/// Grow only.
struct NfQueueCounters {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t overflows = 0;       ///< times that the receive buffer had no room (ENOBUFS): the settings say what became of those packets
  std::uint64_t cut = 0;             ///< packets longer than could be read: dropped
  std::uint64_t verdict_errors = 0;  ///< verdicts that were not taken: of packets that are gone (their interface went down), or not to be sent
  std::uint64_t queue_dropped = 0;   ///< by the kernel, the queue being full
  std::uint64_t user_dropped = 0;    ///< by the kernel, the receive buffer being full
  std::uint64_t waiting = 0;         ///< now
};

/// Purpose: one queue. Every packet that next_batch() gives needs one verdict() in the end: until then the kernel holds it.
/// Ownership: the socket, the memory that packets are read into, and the thread that gives the kernel the verdicts of large batches. One owner, one thread.
/// Limits: kBatch packets are read at once, and fewer of large ones; verdicts go out together with flush(), or before where there are many.
class NfQueue {
 public:
  static constexpr std::size_t kBatch = 64;

  /// Needs CAP_NET_ADMIN. Error::what for people: no permission, the queue belongs to another program.
  /// A descriptor that gives the kernel's counters, to whoever may open it: root only. -1: none.
  static int open_statistics();
  /// Whether some process has that queue; by a descriptor of these counters.
  static bool is_taken(int statistics, std::uint16_t number);
  static std::expected<std::unique_ptr<NfQueue>, Error> open(const NfQueueSettings& settings);
  NfQueue(const NfQueue&) = delete;
  NfQueue& operator=(const NfQueue&) = delete;
  ~NfQueue();

  int descriptor() const;
  /// Does not wait. The octets stay valid, and may be written to, until the next call. `now`: their time.
  std::span<QueuedPacket> next_batch(TimeNs now);
  void verdict(std::uint32_t id, const PacketVerdict& what);
  /// They are on their way, in order; settle() waits until the kernel has them.
  void flush();
  void settle();
  /// What the kernel says of the queue is read with it.
  NfQueueCounters counters();

 private:
  NfQueue(const NfQueueSettings& settings, mnl_socket* socket);
  std::expected<void, Error> configure();
  void ask_for_sender();
  bool send_config(void* message) const;
  void take(std::span<std::byte> message, TimeNs now, bool cut);
  std::byte* buffer(std::size_t i) const;

  NfQueueSettings settings_;
  mnl_socket* socket_;
  int statistics_ = -1;
  std::unique_ptr<std::byte[]> buffers_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> pieces_;
  std::size_t next_packets_ = kBatch;  ///< read at once: by the size of those before
  std::size_t batch_bytes_ = 0;
  std::vector<QueuedPacket> packets_;
  std::vector<std::byte> verdicts_;
  NfQueueCounters counters_;
  VerdictSender sender_;
};

}  // namespace weir::capture
