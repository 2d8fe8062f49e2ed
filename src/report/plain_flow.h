// One connection told again as plain TCP (RFC 9293): which segments, with which numbers. Pure: no addresses, no bytes of headers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/seq.h"
#include "engine/records.h"
#include "wire/tcp.h"

namespace weir::report {

/// Largest segment that a file is given: a packet with its headers stays below 65,535 octets.
inline constexpr std::size_t kFileSegmentBytes = 65'000;

/// Purpose: what happens on a connection, as the segments of a flawless TCP flow: everything in order, nothing twice,
/// nothing acknowledged that was not sent, an acknowledgement only where it tells something new.
/// Invariant: between handshake and end each side's numbers grow only; a gap is a jump. One owner, one thread.
class PlainFlow {
 public:
  struct Segment {
    bool from_client = true;
    SeqNum seq, ack;
    wire::TcpFlags flags;
    std::span<const std::byte> options, payload;
  };
  using Emit = std::function<void(const Segment&)>;

  /// `number` gives the initial sequence numbers: the same capture makes the same file.
  PlainFlow(std::uint64_t number, std::size_t segment_bytes);

  /// What comes before and was not seen is made up: SYN before SYN/ACK before third ACK before data.
  void syn(const Emit& emit);
  void syn_ack(const Emit& emit);
  void established(const Emit& emit);
  void data(engine::Direction direction, std::uint64_t offset, std::span<const std::byte> bytes, const Emit& emit);
  void gap(engine::Direction direction, std::uint64_t offset, std::uint64_t bytes);
  void ack(engine::Direction direction, std::uint64_t offset, const Emit& emit);
  void fin(engine::Direction direction, const Emit& emit);
  void reset(engine::Direction direction, const Emit& emit);

  /// More than a SYN was told.
  bool is_answered() const { return halves_[index(engine::Direction::kToClient)].syn; }

 private:
  /// One side as a sender.
  struct Half {
    SeqNum first;             // initial sequence number
    std::uint64_t end = 0;    // stream offset after the last byte sent or skipped
    std::uint64_t shown = 0;  // stream offset after the last byte sent
    std::uint64_t acked = 0;  // stream offset that the other side has acknowledged, at most shown (or end, with the FIN)
    bool syn = false, fin = false, fin_acked = false;
    bool acks_come = false;  // the capture shows acknowledgements of it
  };
  Half& half(engine::Direction d) { return halves_[index(d)]; }
  SeqNum next(engine::Direction d) const;
  void send(engine::Direction d, std::uint8_t flags, std::span<const std::byte> options, std::span<const std::byte> payload, const Emit& emit) const;
  void acknowledge(engine::Direction d, std::uint64_t offset, const Emit& emit);

  Half halves_[2];
  std::size_t segment_bytes_;
  bool established_ = false;
  bool ended_ = false;  // by a reset
};

}  // namespace weir::report
