// One MPTCP endpoint: the connection over its subflows (RFC 8684 §3.3), with the application above it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "scenario.h"
#include "subflow.h"

namespace weir::simulate {

/// What both hosts and their subflows live in.
struct World {
  EventQueue& events;
  Network& network;
  Random& random;
  const Scenario& scenario;
  std::size_t joins_left = 0;  ///< neither application closes before all subflows are there
  std::function<void()> on_all_joined;
};

/// Purpose: splits its application's stream over subflows, and puts together what the peer sends.
/// Offsets count from the first octet of a stream; the DSN of offset 0 is IDSN + 1.
class Host {
 public:
  Host(World& world, Side side);

  void connect();
  void receive(const Segment& segment, std::size_t path);
  void consider_closing();
  void on_all_joined();
  bool finished() const;
  const std::vector<std::byte>& received() const { return received_; }

  // For its subflows.
  const HostParameters& parameters() const { return parameters_; }
  Side side() const { return side_; }
  int version() const { return world_.scenario.version; }
  std::uint64_t key() const { return parameters_.key; }
  std::uint64_t peer_key() const { return peer_key_; }
  std::uint32_t peer_token() const { return peer_token_; }
  std::uint64_t idsn() const { return idsn_; }
  std::uint64_t peer_idsn() const { return peer_idsn_; }
  void learn_peer_key(std::uint64_t key);
  /// The peer is known to speak MPTCP on the first subflow (RFC 8684 §3.1).
  bool fully_established() const { return fully_established_; }
  void on_fully_established();
  void on_established(Subflow& subflow);
  void on_time_out(Subflow& subflow);
  void on_lost(Subflow& subflow);
  wire::mptcp::Dss::DataAck data_ack();
  std::uint32_t window() const;
  wire::mptcp::Dss::Mapping describe(const SentMapping& mapping, bool& data_fin);
  wire::mptcp::Dss::Mapping describe_data_fin();
  /// The window of the handshake, which has no DATA_ACK (RFC 8684 §3.3.4).
  void allow_first(std::uint32_t window) { right_edge_ = window; }
  void on_data_ack(const wire::mptcp::Dss::DataAck& ack, std::uint32_t window);
  std::uint64_t widen(std::uint64_t dsn, bool wide) const;
  void on_pieces(std::span<const MappedPiece> pieces);
  void on_data_fin(std::uint64_t dsn);
  void on_add_addr(Subflow& subflow, const wire::mptcp::AddAddr& option);
  void pump();

 private:
  struct Range {
    std::uint64_t begin = 0, end = 0;
    const Subflow* origin = nullptr;
  };

  Subflow& add(const Subflow::Place& place);
  Subflow* find(const Segment& segment) const;
  void open_joins();
  void open_join(const JoinPlan& plan);
  Endpoint listener_on(std::size_t path) const;
  void announce(const Subflow& on, std::size_t path);
  void repeat_announcements();
  void write_more();
  void read_some();
  Subflow* choose(const Subflow* not_this);
  bool schedule_again();
  bool schedule_new();
  void reinject(Subflow& subflow);
  void close_if_done();
  void send_data_fin();
  void ask_for_window();
  void depart(const Departure& plan);
  void change_priority(const PriorityChange& plan);

  World& world_;
  Side side_;
  const HostParameters& parameters_;
  std::vector<std::unique_ptr<Subflow>> subflows_;
  std::uint64_t idsn_ = 0, peer_idsn_ = 0, peer_key_ = 0;
  std::uint32_t token_ = 0, peer_token_ = 0;
  bool fully_established_ = false;

  // Sending.
  std::uint64_t written_ = 0, next_ = 0, una_ = 0, right_edge_ = 0;
  std::deque<Range> again_;
  std::size_t turn_ = 0;
  bool closed_ = false;
  bool fin_goes_alone_ = false;
  std::uint16_t next_port_;

  // Receiving.
  std::vector<std::byte> received_;
  std::uint64_t read_ = 0;
  std::map<std::uint64_t, std::span<const std::byte>> waiting_;
  std::uint64_t peer_fin_ = ~0ULL;
  bool peer_closed_ = false;

  struct Announcement {
    wire::mptcp::AddAddr option;
    int tries = 0;
  };
  std::vector<Announcement> announcements_;

  Timer fin_timer_, probe_timer_, write_timer_, read_timer_, announce_timer_;
};

}  // namespace weir::simulate
