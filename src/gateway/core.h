// What becomes of each packet: policy for a first SYN, the engine's judgement for all else. No input or output.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/raw_packet.h"
#include "decide/policy.h"
#include "engine/engine.h"
#include "gateway/address_nat.h"
#include "gateway/closing.h"
#include "gateway/control.h"
#include "gateway/directory.h"
#include "gateway/marks.h"
#include "gateway/shared_joins.h"
#include "gateway/two_generations.h"
#include "report/policy_record.h"
#include "rewrite/reply.h"
#include "wire/decode.h"
#include "wire/mptcp/options.h"

namespace weir::gateway {

struct Packet {
  RawPacket raw;  ///< LinkType::kRaw
  std::uint32_t mark = 0;
  std::string_view interface_in, interface_out;  ///< empty: unknown
  std::optional<Endpoints> as_sent{};            ///< as its sender has addressed it, if that is known: a NAT may have changed it since
  bool before_routing = false;                   ///< asked whether it is for a proxy on this machine; else it is being forwarded
};

struct Outcome {
  enum class What : std::uint8_t { kDrop, kAccept, kRepeat };
  What what = What::kAccept;
  std::optional<std::uint32_t> mark;     ///< none: the packet keeps its own
  std::span<const std::byte> changed{};  ///< goes instead; valid until the next packet. Empty: unchanged
};

struct CoreSettings {
  Marks marks{Marks::kStandard};
  unsigned shard = 0, shards = 1;
  bool prevent = true;                   ///< drop and reject of rules are obeyed; else they only alert
  bool memory_open = true;               ///< what limits leave no room to follow passes; else it is dropped
  bool drop_forged = true;               ///< else what is forged passes, with its anomaly in the log
  bool unseen_open = true;               ///< a connection with bytes on a path that is not seen goes on; else it is ended
  bool offload = true;                   ///< flows whose bytes go by do so in the kernel
  std::int64_t inspect_depth_bytes = 0;  ///< of both directions: what lies behind goes by in the kernel; 0: all is looked at
  std::size_t most_decisions = 65'536;   ///< of SYNs that may come again
  std::size_t most_restored = 1 << 20;   ///< decisions taken over from a process before this one; more than the engine takes over are of no use
  std::uint64_t hash_seed = 0;
};

/// What a decision may depend on beside the packet.
struct Surroundings {
  std::function<std::vector<std::string>(const Endpoints&, TimeNs)> names;
  std::function<std::optional<decide::LocalTime>(TimeNs)> local_time;
  std::function<void(decide::Facts&, TimeNs)> hosts;         ///< fills in what is known of both hosts
  std::function<void(const engine::AnomalyRecord&)> raised;  ///< told each anomaly
};

/// What becomes of connections that begin now and would be followed.
enum class Newcomers : std::uint8_t {
  kTakenIn,
  kPass,     ///< it drains: they go by, as with the action allow
  kRefused,  ///< it drains, and fails closed
};

/// Where results go. Called from within Core's members, on their thread.
class CoreSink {
 public:
  virtual ~CoreSink() = default;
  virtual void on_policy(const report::PolicyRecord& record) = 0;
  /// A packet of Weir's own, to be sent; valid during the call. `followed`: of a connection that conntrack follows.
  virtual void send(std::span<const std::byte> packet, bool followed) = 0;
  /// What the kernel is to keep of a subflow in Weir's bits of its connection mark, once all that was decided before is there.
  virtual void mark(const Endpoints& subflow, std::uint32_t value) = 0;
  /// The same of a subflow whose handshake is under way. Anyone can send its SYN: where the kernel has a flow that is established, that is another one.
  virtual void mark_half_open(const Endpoints& subflow, std::uint32_t value) = 0;
  /// How packets of a subflow that is seen with these addresses are addressed by who sends them; none: that is not known.
  virtual std::optional<Endpoints> as_sent(const Endpoints& /*subflow*/) { return std::nullopt; }
};

/// Grow only.
struct CoreCounters {
  std::uint64_t allowed = 0, inspected = 0, stripped = 0, reset = 0, proxied = 0;  ///< connections, by what was decided at their first SYN
  std::uint64_t joins_refused = 0;                                                 ///< by limits
  std::uint64_t dropped = 0;                                                       ///< packets, for whatever reason
  std::uint64_t changed = 0;                                                       ///< packets
  std::uint64_t blocked_connections = 0;
  std::uint64_t closing_sent = 0;       ///< packets that end connections
  std::uint64_t closing_in_place = 0;   ///< packets that end connections, sent in the place of packets that may not pass
  std::uint64_t asked = 0;              ///< ACKs that ask a receiver for its DATA_ACK
  std::uint64_t unchangeable = 0;       ///< packets that were to be changed and could not be: dropped
  std::uint64_t decisions_evicted = 0;  ///< for want of room, the oldest half: a SYN that comes again is decided anew
  std::uint64_t unseen_path = 0;        ///< connections
  std::uint64_t offloaded = 0;          ///< connections inspected to their depth
  std::uint64_t drained = 0;            ///< connections that were not taken in while it drained
  std::uint64_t steered = 0;            ///< packets that are for another shard
  std::uint64_t unfollowed = 0;         ///< connections that go by for want of room
  std::uint64_t told_by_kernel = 0;     ///< refused SYNs that the kernel answers, as their senders' addresses are its NAT's alone
  std::uint64_t add_addr_dropped = 0;   ///< offers that limits.add_addr has taken out, repeated ones too
  std::uint64_t forgotten_early = 0;    ///< connections that ended at a time with very many others: what is noted of one after its end may stay
};

/// Purpose: policy, limits and prevention over one engine. It is the engine's observer, too, and passes on what that tells.
/// Invariant: a packet that the engine refuses is never accepted on an inspected connection; after a match nothing of the connection is.
/// Limits: CoreSettings::most_decisions; connections as in the engine. Ownership: engine, sink and next observer outlive it. One owner, one thread.
class Core : public engine::Observer {
 public:
  Core(const CoreSettings& settings, std::shared_ptr<const decide::Policy> policy, Surroundings surroundings, CoreSink& sink, engine::Observer& next);
  /// Before the first packet. The engine has this as its observer.
  void use(engine::Engine& engine) { engine_ = &engine; }
  /// Connections that begin from now on are decided by it.
  void use(std::shared_ptr<const decide::Policy> policy) { policy_ = std::move(policy); }
  /// From now on. What runs goes on, and its JOINs are taken in.
  void use(Newcomers newcomers) { newcomers_ = newcomers; }

  /// Other shards are there (CoreSettings::shards), and what is theirs is led to them by it. It outlives this.
  void use(Directory& directory) { directory_ = &directory; }
  /// Limits hold for all that use the same; before the first packet.
  void use(std::shared_ptr<SharedJoins> joins) { joins_ = std::move(joins); }
  /// Tells the directory of all connections that the engine has: after it has taken over those of another process.
  void announce();
  /// Offers of inside addresses are told as it says, where limits.add_addr is translate. It outlives this.
  void use(AddressNat& nat) { nat_ = &nat; }

  Outcome take(const Packet& packet);
  /// After the engine has taken over another process's connections: those that were blocked are so in the kernel, too.
  void hold_blocked();
  /// Time goes on: what is to be sent again is sent.
  void advance(TimeNs now);
  CoreCounters counters() const {
    CoreCounters all = counters_;
    all.decisions_evicted = remembered_.evicted();
    return all;
  }
  std::size_t closing() const { return closing_.size(); }
  const Closing::Counters& closing_counters() const { return closing_.counters(); }
  /// Connections that something is remembered of: those that the engine follows, no more.
  std::size_t remembered() const { return connections_.size(); }

  /// Ends the connection at both hosts, or one subflow of it. False: there is no such one.
  bool cut(std::uint64_t number, std::optional<std::uint32_t> subflow, TimeNs now);
  /// Running connections with numbers above `after`: the first `most` of them, by number.
  void list(std::vector<Listed>& into, std::uint64_t after, std::size_t most);
  /// What was decided of running connections, as octets.
  std::vector<std::byte> save() const;
  /// Before the first packet, and after the engine's own restore(). False: the octets are no such thing; nothing has changed.
  bool restore(Bytes saved, TimeNs now);

  void on_handshake(const engine::ConnectionInfo& info, engine::Handshake what, TimeNs time) override { next_.on_handshake(info, what, time); }
  void on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) override;
  void on_gap(const engine::ConnectionInfo& info, Direction d, std::uint64_t offset, std::uint64_t bytes, TimeNs time) override {
    if (!is_allowed(info.number)) next_.on_gap(info, d, offset, bytes, time);
  }
  void on_ack(const engine::ConnectionInfo& info, Direction d, std::uint64_t offset, TimeNs time) override {
    if (!is_allowed(info.number)) next_.on_ack(info, d, offset, time);
  }
  void on_fin(const engine::ConnectionInfo& info, Direction d, TimeNs time) override {
    if (!is_allowed(info.number)) next_.on_fin(info, d, time);
  }
  void on_reset(const engine::ConnectionInfo& info, Direction d, TimeNs time) override { next_.on_reset(info, d, time); }
  void on_connection(const engine::ConnectionRecord& record) override;
  void on_gone(std::uint64_t number) override;
  void on_flow(const engine::FlowRecord& record) override;
  void on_anomaly(const engine::AnomalyRecord& record) override;
  void on_mptcp_use(const engine::ConnectionInfo& info, const inspect::MptcpUse& use) override { next_.on_mptcp_use(info, use); }
  void on_dns_datagram(const engine::DnsDatagram& datagram) override { next_.on_dns_datagram(datagram); }
  void on_mapped(const engine::ConnectionInfo& info, const engine::MappedArrival& arrival) override { next_.on_mapped(info, arrival); }
  void on_option(const engine::ConnectionInfo& info, const engine::OptionSeen& option) override { next_.on_option(info, option); }

 private:
  using Decided = std::shared_ptr<const decide::Decision>;
  /// What a record tells once, however often it comes again.
  struct DroppedOffer {
    std::uint8_t host = 0;  ///< 0: of the client, 1: of the server
    std::uint8_t address_id = 0;
    rewrite::HostPort address;
    friend bool operator==(const DroppedOffer&, const DroppedOffer&) = default;
  };
  struct Connection {
    Decided decision;
    IpAddress client{};
    std::uint32_t counted = 0;  ///< subflows that count against limits; 0: none is counted
    TimeNs joined_ns = 0;       ///< the last of them
    std::uint64_t inspected_to[2] = {0, 0};
    bool opened_here = false;  ///< its first SYN was decided on here: the two that follow are that SYN's
    std::uint32_t isn = 0;
    std::uint64_t syn_key = 0;
    bool blocked = false;
    bool unseen_told = false;
    bool offloaded = false;                          ///< its bytes go by, in the kernel if it may: allowed, or inspected to its depth
    std::uint16_t client_port = 0, server_port = 0;  ///< of the first subflow; 0: its SYN was not seen
    std::uint8_t addresses_told = 0;                 ///< records of addresses that were offered
    std::vector<DroppedOffer> dropped_offers;        ///< of these, those that limits.add_addr has taken out
    bool has_offers = false;                         ///< the NAT knows of some
    std::uint8_t looked_for_tokens = 0;              ///< how often, until both are in the directory
    std::optional<std::uint32_t> tokens[2];          ///< in the directory; by host
    bool kept_mark = false;                          ///< so conntrack follows it
    TimeNs not_asked_until_ns = 0;                   ///< conntrack, for the addresses that JOINs are sent to
  };
  struct Remembered {
    std::uint32_t isn = 0;
    Decided decision;  ///< none: a JOIN that its limits let pass
    bool strip = false;
    bool counts = false;  ///< in CoreCounters
    Newcomers newcomer = Newcomers::kTakenIn;
  };

  std::optional<Outcome> lead(const Packet& packet, bool syn);
  std::optional<Outcome> lead_to(const Packet& packet, std::optional<unsigned> shard);
  std::optional<Outcome> lead_answer(const Packet& packet);
  void note_answer(const Packet& packet);
  Outcome steer(const Packet& packet, unsigned shard);
  void claim_flow();
  void learn(const Packet& packet, const engine::Judgement& judgement, Connection& connection);
  void claim_tokens(std::uint64_t number, Connection& connection);
  void forget_flows(const engine::ConnectionRecord& record);
  void forget(const Connection& connection);
  Outcome take_syn(const Packet& packet);
  Outcome take_capable(const Packet& packet, const wire::mptcp::MpCapable& option);
  Outcome take_join(const Packet& packet, const wire::mptcp::MpJoinSyn& option);
  Outcome take_judged(const Packet& packet);
  Outcome let_by(const Packet& packet) const;
  Outcome judged(const Packet& packet, const engine::Judgement& judgement, Connection& connection);
  Outcome pass_by(const Packet& packet, engine::Judgement judgement, Connection& connection);
  void count_end(const engine::Judgement& judgement, Connection& connection);
  void count_again(std::uint64_t number, Connection& connection, std::uint32_t subflows, TimeNs now);
  Connection* opened_by_syn(const engine::Judgement& judgement);
  void hold(std::span<const engine::Ending> endings);
  void hold_half_open(std::uint64_t number);
  Outcome take_offloaded(const Packet& packet);
  Outcome take_blocked(const Packet& packet);
  void note_mark(const Packet& packet, Connection& connection) const {
    if (has_mark(packet)) connection.kept_mark = true;
  }
  bool has_mark(const Packet& packet) const { return (packet.mark & settings_.marks.steered_mask()) != 0; }
  Outcome refuse(const Packet& packet, const engine::Judgement& judgement);
  void ask_receiver(const Packet& packet, std::uint64_t number);
  Outcome refuse_syn(const Packet& packet);
  Outcome answer_refused(const Packet& packet);
  std::optional<Endpoints> join_as_sent(std::uint32_t token, TimeNs now);
  Outcome unfollowed(const Packet& packet, const engine::Judgement& judgement);
  Outcome block(const Packet& packet, std::uint64_t number, std::string_view reason = "it was blocked before");
  Outcome accept(const Packet& packet, MarkState state) const;
  Outcome drop();
  Closing::Send closing_send();
  Outcome stripped(const Packet& packet, MarkState state);
  Outcome addresses(const Packet& packet, const engine::Judgement& judgement, MarkState state);
  Outcome translated(const Packet& packet, const engine::Judgement& judgement, MarkState state);
  rewrite::AddAddrContext context_of(const engine::Judgement& judgement, const Connection& connection) const;
  void tell_addresses(const Packet& packet, const engine::Judgement& judgement, const AddressNat::Result& result);
  void tell_dropped_offers(const Packet& packet, const engine::Judgement& judgement);
  bool is_in_tunnel(const Packet& packet, rewrite::Unchangeable why);
  Outcome without_add_addr(const Packet& packet, const engine::Judgement& judgement, MarkState state);
  std::optional<std::string> join_refused(const Packet& packet, const wire::mptcp::MpJoinSyn& option, std::uint64_t number, const decide::Decision& decision);
  Endpoints ends_of_syn() const;
  std::uint64_t key_of_syn() const;
  Decided ask_policy(const Packet& packet, std::uint8_t version) const;
  void count(decide::Action action);
  Remembered& decide(const Packet& packet, const wire::mptcp::MpCapable& option);
  Outcome take_before_routing(const Packet& packet);
  Outcome routed_already(const Packet& packet, const decide::Decision& decision);
  void tell(const report::PolicyRecord& record) { sink_.on_policy(record); }
  report::PolicyRecord record_of(std::uint64_t number, TimeNs time, std::string_view action, std::string reason);
  Connection& connection(std::uint64_t number);
  bool is_allowed(std::uint64_t number) const;
  void set_blocked(std::uint64_t number, Connection& connection);
  Outcome look_at(const Packet& packet);
  void tell_raised(std::optional<engine::RecordAction> action, std::uint64_t number = 0);
  void forget_ended();
  void end(std::uint64_t number, std::optional<TimeNs> time);
  bool peek(const RawPacket& raw);
  bool has_add_addr() const;

  CoreSettings settings_;
  std::shared_ptr<const decide::Policy> policy_;
  Surroundings surroundings_;
  CoreSink& sink_;
  engine::Observer& next_;
  engine::Engine* engine_ = nullptr;
  AddressNat* nat_ = nullptr;
  Directory* directory_ = nullptr;  ///< none: no other shard
  std::shared_ptr<SharedJoins> joins_;
  Newcomers newcomers_ = Newcomers::kTakenIn;
  Decided standard_;  ///< of connections whose SYN was not seen
  wire::Decoded decoded_;
  std::vector<std::byte> changed_;
  boost::unordered_flat_map<std::uint64_t, Connection> connections_;
  std::vector<engine::AnomalyRecord> raised_;  ///< by the packet at hand: told once it is known what becomes of that
  std::vector<std::uint64_t> ended_;           ///< of these since the packet before
  TwoGenerations<Remembered> remembered_;      ///< by addresses and ports
  Closing closing_;
  CoreCounters counters_;
};

}  // namespace weir::gateway
