// The sending half of one end of a subflow: what is mapped, what is sent, what is acknowledged.
// Positions are those of SSNs: the SYN has 0, the first octet of data 1.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

namespace weir::simulate {

struct SentMapping {
  std::uint64_t position = 1;
  std::uint64_t offset = 0;  ///< in the stream of the connection
  std::uint32_t length = 0;
  std::uint64_t data_sum = 0;
  bool reinjected = false;

  std::uint64_t end() const { return position + length; }
};

/// What a segment is to carry. Never part of two mappings, since a segment has room for one DSS.
struct Cut {
  std::uint64_t position = 0;
  std::uint32_t length = 0;
  SentMapping mapping;
  bool fin = false;
};

/// Invariant: una <= next <= end (+ 1 once the FIN is sent); mappings lie side by side and cover [una, end).
class SubflowSender {
 public:
  explicit SubflowSender(std::uint64_t congestion_window) : congestion_window_(congestion_window) {}

  /// Octets that could be queued and sent at once.
  std::uint64_t room() const;
  void queue(std::uint64_t offset, std::uint32_t length, std::uint64_t data_sum);
  /// No data will be queued any more: the FIN follows what there is.
  void finish() { finishing_ = true; }

  /// The next segment never sent before, of at most `longest` octets.
  std::optional<Cut> take_new(std::uint32_t longest);
  /// The first unacknowledged octets again, cut anew.
  std::optional<Cut> again(std::uint32_t longest) const;

  struct Outcome {
    bool progress = false;
    bool retransmit = false;
  };
  /// `repeat`: the segment carried nothing but the acknowledgement (RFC 5681 §2).
  Outcome acknowledge(std::uint64_t position, std::uint64_t window, bool repeat);
  void timed_out();

  bool outstanding() const { return una_ < next_; }
  bool fin_acknowledged() const { return fin_sent_ && una_ == next_; }
  bool finishing() const { return finishing_; }
  std::uint64_t una() const { return una_; }
  std::uint64_t next() const { return next_; }
  std::uint64_t end() const { return end_; }
  std::deque<SentMapping>& mappings() { return mappings_; }

 private:
  const SentMapping* mapping_at(std::uint64_t position) const;

  std::uint64_t congestion_window_;
  std::uint64_t una_ = 1, next_ = 1, end_ = 1;
  std::uint64_t right_edge_ = 1;
  std::uint64_t recover_ = 0;  ///< until this is acknowledged, partial acknowledgements retransmit (RFC 6582)
  int repeats_ = 0;
  bool finishing_ = false, fin_sent_ = false;
  std::deque<SentMapping> mappings_;
};

}  // namespace weir::simulate
