// One end of a subflow: TCP as RFC 9293, 5681, 6298 and 7323 have it, with the MPTCP options that Linux puts on it.
#pragma once

#include <cstdint>
#include <optional>

#include "event_queue.h"
#include "segment.h"
#include "subflow_receiver.h"
#include "subflow_sender.h"

namespace weir::simulate {

class Host;
struct World;

/// Purpose: handshake, reliable transport of mapped data, and close of one subflow, at one host.
/// Owned by its Host, which it tells what came in; lives as long as the simulation, as timers refer to it.
class Subflow {
 public:
  enum class State : std::uint8_t {
    kSynSent,
    kSynReceived,
    kConfirming,   ///< sent the third ACK of a JOIN; data only after the fourth (RFC 8684 §3.2)
    kEstablished,  ///< until the end of the simulation, if no RST ends it
    kReset,
  };
  struct Place {
    std::size_t path = 0;
    Endpoint local, remote;
    std::uint8_t address_id = 0;
    bool join = false, opened_here = false, backup = false;
  };

  Subflow(Host& host, World& world, const Place& place);

  void open();
  void accept(const Segment& syn);
  void receive(const Segment& segment);

  /// Makes `length` octets from `offset` of the stream the next mapping, and sends what may be sent.
  void map(std::uint64_t offset, std::uint32_t length);
  void push();
  void finish();
  void abort();
  void acknowledge() { send_control({}); }
  /// A segment without data that carries options, and a DATA_ACK if there is room.
  void send_control(std::vector<wire::mptcp::Option> options);
  void send_data_fin();
  /// Asks for the window: an octet before the window, as Linux does (tcp_xmit_probe_skb).
  void probe();

  const Place& place() const { return place_; }
  State state() const { return state_; }
  bool usable() const { return state_ == State::kEstablished && !sender_.finishing() && !receiver_.fin_taken(); }
  bool established() const { return state_ == State::kEstablished; }
  bool done() const { return state_ == State::kReset || (state_ == State::kEstablished && sender_.fin_acknowledged() && receiver_.fin_taken()); }
  bool outstanding() const { return sender_.outstanding(); }
  std::uint64_t room() const { return sender_.room(); }
  SubflowSender& sender() { return sender_; }

 private:
  Segment blank(std::uint8_t flags, std::uint64_t position);
  void emit(Segment segment);
  void send_syn(bool answer);
  void send_third_ack();
  void send_cut(const Cut& cut);
  void send_reset_for(const Segment& segment);
  void on_time_out();
  void arm();
  std::uint32_t longest();

  bool confirm(const Segment& segment);
  void receive_syn_ack(const Segment& segment);
  void receive_late_syn(const Segment& segment);
  void receive_reset(const Segment& segment);
  bool acceptable(const Segment& segment, std::uint64_t position);
  void receive_ack(const Segment& segment);
  bool receive_options(const Segment& segment, std::optional<SeenMapping>& mapping);
  void learn_peer(const Segment& syn);
  bool mp_capable_data(const Cut& cut) const;
  std::uint64_t position_of(SeqNum seq) const;

  Host& host_;
  World& world_;
  Place place_;
  State state_ = State::kSynSent;
  SeqNum isn_, peer_isn_;
  std::uint32_t nonce_ = 0, peer_nonce_ = 0;
  std::uint16_t peer_mss_ = 536;
  std::uint8_t peer_scale_ = 0;
  std::uint32_t ts_recent_ = 0;
  std::uint64_t last_ack_sent_ = 0;
  int unacknowledged_segments_ = 0;
  int backoff_ = 0;
  std::uint16_t ip_id_ = 0;
  SubflowSender sender_;
  SubflowReceiver receiver_;
  Timer retransmission_;
  Timer delayed_ack_;
};

}  // namespace weir::simulate
