// The engine's tables and the steps of a packet through them. The members are implemented a concern a file:
//   engine.cc     packets in, decoding, checksums, fragments            lookup.cc    4-tuple -> subflow, capture points, NAT
//   segment.cc    one segment of a known subflow                        handshake.cc SYN, SYN/ACK, third ACK
//   joins.cc      MP_JOIN: tokens, HMACs, orphans                       options.cc   DSS, ADD_ADDR, MP_PRIO, MP_FAIL, ...
//   streams.cc    bytes from subflow to connection to observer          fallback.cc  back to plain TCP
//   midstream.cc  capture began later: anchors, links by DSN            lifecycle.cc expiry, gaps, records
//   timeline.cc   what plots show besides the stream
//   stripped.cc   what one point saw and another did not                anomalies.cc events, once a connection
//   uses.cc       who speaks MPTCP; datagrams of DNS, for names          inline.cc    what may pass, and what ends a connection
//   overview.cc   what is shown of running connections
//   inline_*.cc   segments, payloads and unseen packets inline
#pragma once

#include <array>
#include <boost/intrusive/list.hpp>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "engine/connection.h"
#include "engine/engine.h"
#include "engine/saved.h"
#include "engine/subflow.h"
#include "inspect/watch.h"
#include "track/flow_table.h"
#include "wire/decode.h"
#include "wire/defragment.h"
#include "wire/mptcp/options.h"

namespace weir::engine {

struct IpAddressHash {
  std::size_t operator()(const IpAddress& address) const;
};

/// What a flow table slot holds.
struct FlowRef {
  Subflow* newest = nullptr;
  bool low_is_opener = true;
};

/// One TCP packet on its way: what was decoded, and which side of which subflow it comes from.
struct Segment {
  const RawPacket* raw = nullptr;
  const wire::Decoded* decoded = nullptr;
  const wire::TcpSegment* tcp = nullptr;
  std::uint64_t hash = 0;
  bool from_low = false;
  bool stays = false;  ///< the payload may be kept by reference
  TimeNs time_ns = 0;
  PointId point = 0;
};

/// The MPTCP options of a segment, each subtype's first that counts.
struct SegmentOptions {
  std::optional<wire::mptcp::MpCapable> capable;
  std::optional<wire::mptcp::MpJoinSyn> join_syn;
  std::optional<wire::mptcp::MpJoinSynAck> join_syn_ack;
  std::optional<wire::mptcp::MpJoinAck> join_ack;
  std::optional<wire::mptcp::Dss> dss;
  std::optional<wire::mptcp::MpFastclose> fastclose;
  std::uint16_t subtypes = 0;                                     ///< by bit
  boost::container::small_vector<wire::mptcp::Option, 2> others;  ///< ADD_ADDR, REMOVE_ADDR, MP_PRIO, MP_FAIL, MP_TCPRST
  bool any = false;
  bool ambiguous = false;  ///< one that is malformed, or two that a receiver may take either of
};

/// What a segment's TCP checksum says of it.
enum class Trust : std::uint8_t { kUse, kDoubt, kIgnore };

enum ListId : std::uint8_t { kWaiting, kLive, kEnding, kLists };

struct Engine::State {
  State(const Settings& engine_settings, Observer& engine_observer);
  ~State();

  // engine.cc
  void step(std::span<const RawPacket> packets, std::span<Fate> fates);
  Fate take(const RawPacket& raw, const wire::Decoded& decoded, std::uint64_t hash, bool from_low, bool stays);
  Fate take_fragment(const RawPacket& raw, const wire::Decoded& decoded);
  Trust checksum_trust(const Segment& s, track::TcpView* sender, const Subflow* f, Side side);
  static std::uint32_t announced_mss(const Subflow& f, Side side);
  void report_decode_error(const RawPacket& raw, const wire::Decoded& decoded);

  // lookup.cc
  Subflow* find(const Segment& s, Side& side);
  Subflow* generation_for(Subflow* newest, const Segment& s, Side newest_side) const;
  static Side side_of(const Subflow& f, const Segment& s, Side otherwise);
  static bool answers_lone_syn(const Subflow& f, const Segment& s, Side side);
  bool is_tuple_of(const Subflow& f, const Segment& s) const;
  PointView& view(Subflow& f, const Segment& s);
  PointView* known_view(Subflow& f, PointId point) const;
  Subflow& add_subflow(Connection& c, const Segment& s, bool sender_opens);
  void index_flow(Subflow& f, std::uint64_t hash, bool low_is_opener);
  void unindex_flow(Subflow& f, std::uint64_t hash);
  void unindex_alias(Subflow& f, std::uint64_t hash, Subflow* instead);
  static void abandon(Subflow* newest, std::uint64_t hash);
  void alias(Subflow& keep, Subflow& same);
  Subflow& merge(Subflow& a, Subflow& b);
  Subflow* other_direction_of_tunnel(const Segment& s, Side& side);
  void note_tunnel(Subflow& f, const Segment& s);
  void forget_tunnel(Subflow& f);
  std::uint64_t tunnel_pair_hash(const Segment& s) const;
  std::uint64_t handshake_hash(const IpAddress& address, std::uint16_t port, Side side, SeqNum opener_isn) const;
  void note_half_seen(Subflow& f);
  void forget_half_seen(Subflow& f);
  Subflow* half_seen_as(const Segment& s, bool syn_wanted);
  void add_alias(Subflow& f, const Segment& s, bool sender_opens);
  void lead(Subflow& f, const Alias& alias, bool low_is_opener);
  static Endpoints endpoints_of(const Segment& s, bool sender_opens);

  // segment.cc
  Fate on_tcp(const Segment& s);
  Fate on_segment(Subflow& f, Side side, const Segment& s);
  bool on_rst(Subflow& f, Side side, const Segment& s, PointView& v, const SegmentOptions& options);
  void reset_subflow(Subflow& f, Side side, TimeNs now);
  void on_fin(Subflow& f, Side side, const Segment& s, const PointView& v);
  void reach_fin(Subflow& f, Side side);
  void end_subflow(Subflow& f, Phase phase);
  std::uint64_t position(const Subflow& f, Side side, const PointView& v, SeqNum seq) const;
  SeqNum sequence(const Subflow& f, Side side, const PointView& v, std::uint64_t at) const;

  // handshake.cc
  Fate on_syn(const Segment& s);
  Fate on_syn_again(Subflow& f, const Segment& s);
  static bool syn_refusal(const SegmentOptions& options, const wire::TcpSegment& tcp);
  static bool other_kind(const Subflow& f, const SegmentOptions& options);
  void make_way(const Segment& s, const Connection* stays);
  bool answers_in_use(const Subflow& f, const Segment& s) const;
  static bool was_heard(const Subflow& f, Side side, TimeNs now);
  bool runs_here(const Segment& s);
  Fate on_syn_ack(Subflow* f, Side side, const Segment& s);
  bool on_third_ack(Subflow& f, const Segment& s, const SegmentOptions& options);
  void take_keys(Connection& c, const wire::mptcp::MpCapable& option, std::size_t sender_host);
  void set_key(Connection& c, std::size_t host, std::uint64_t key);
  void become_keyed(Connection& c);
  Subflow* same_first_subflow(Subflow& f, const Segment& s, std::size_t host);
  void establish(Subflow& f, TimeNs now);
  void take_syn_data(Subflow& f, const Segment& s, const PointView& v);
  void note_syn_window(Subflow& f, Side side, const wire::TcpSegment& tcp, const PointView& v);

  // joins.cc
  Fate on_join_syn(const Segment& s, const wire::mptcp::MpJoinSyn& join);
  void on_join_syn_late(Subflow& f, const wire::mptcp::MpJoinSyn& join);
  void note_join_syn(Subflow& f, const wire::mptcp::MpJoinSyn& join);
  void on_join_syn_ack(Subflow& f, const Segment& s, const wire::mptcp::MpJoinSynAck& join);
  void on_join_ack(Subflow& f, const wire::mptcp::MpJoinAck& join, const Segment& s);
  Connection* by_token(std::uint32_t token, std::uint32_t nonce, PointId point);
  void adopt_orphans(Connection& c);
  void verify_join(Subflow& f, const Segment* s);
  void count_half_open(Subflow& f, TimeNs now);
  void half_open_done(Subflow& f);
  Connection& orphan_of(std::uint32_t token, const Segment& s);
  void orphan_expired(Connection& c);
  bool count_try(const Subflow& f, TimeNs when);
  void tell_unknown_token(Connection& c, bool confirmed, TimeNs when);

  // options.cc
  SegmentOptions read_options(Connection* c, const Segment& s);
  void on_options(Subflow& f, Side side, const Segment& s, SegmentOptions& options, bool old, bool good);
  void on_data_fin(Subflow& f, Side side, const Segment& s, const wire::mptcp::Dss& dss, bool good);
  void on_data_ack(Subflow& f, Side side, const Segment& s, const wire::mptcp::Dss::DataAck& ack, const PointView& v);
  void on_add_addr(Subflow& f, Side side, const Segment& s, const wire::mptcp::AddAddr& option);
  void on_remove_addr(Subflow& f, Side side, const Segment& s, const wire::mptcp::RemoveAddr& option);
  bool tell_foreign_prio(const Subflow& f, Side side, const Segment& s, const wire::mptcp::MpPrio& option);
  void on_mp_prio(Subflow& f, Side side, const Segment& s, const wire::mptcp::MpPrio& option);
  void on_mp_fail(Subflow& f, Side side, const Segment& s, const wire::mptcp::MpFail& option);
  void on_mp_fail_only(Subflow& f, Side side, const Segment& s, const SegmentOptions& options);
  bool on_fastclose(Subflow& f, Side side, const Segment& s, const wire::mptcp::MpFastclose& option);
  void fastclose(const Subflow& f, Side side, TimeNs now);
  static bool add_addr_forged(const Connection& c, std::size_t host, const wire::mptcp::AddAddr& option);
  static bool knows_address(const Connection& c, std::size_t host, std::uint8_t id);
  bool is_address_of(const Connection& c, std::size_t host, const IpAddress& address) const;

  // streams.cc
  void on_payload(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options, bool doubtful);
  void pass_on(Subflow& f, Side side, TimeNs now, PointId point);
  void pass_mapped(Subflow& f, Side side, reassemble::Consumed& piece, TimeNs now);
  void pass_plain(Subflow& f, Side side, const reassemble::Consumed& piece, TimeNs now);
  void give(Connection& c, Direction d, TimeNs now);
  bool larger_fits(const Connection& c, Direction d) const;
  void tell_data(Connection& c, Direction d, std::uint64_t offset, std::span<const std::byte> bytes, std::uint32_t subflow, TimeNs now, TimeNs carried_ns = 0);
  void tell_gap(Connection& c, Direction d, std::uint64_t offset, std::uint64_t size, TimeNs now);
  void tell_ack(Connection& c, Direction d, TimeNs now);
  void tell_fin(Connection& c, Direction d, TimeNs now);
  void tell_reset(Connection& c, Direction d, TimeNs now);
  void tell_handshake(Connection& c, Handshake step, TimeNs now);
  void start_stream(Connection& c, Direction d, TimeNs now);
  bool confirm_doubtful(Connection& c, Direction d, TimeNs now);
  void skip_gaps(Subflow& f, TimeNs now);
  std::uint64_t full_dsn(Connection& c, Direction d, std::uint64_t value, bool wide);
  void widen(Connection& c, Direction d, std::uint64_t near);
  static void shift_dsn(std::span<Subflow* const> subflows, Direction d, std::uint64_t shift);
  std::uint64_t data_position(Connection& c, Direction d, std::uint64_t dsn);
  std::optional<reassemble::Mapping> mapping_of(Subflow& f, Side side, const Segment& s, std::uint64_t at, const SegmentOptions& options);

  // fallback.cc
  void fall_back(Connection& c, FallbackReason reason, TimeNs now);
  bool only_subflow(const Connection& c, const Subflow& f) const;
  void on_unmapped(Subflow& f, Side side, reassemble::Consumed& piece, TimeNs now, PointId point);
  void on_bad_checksum(Subflow& f, Side side, reassemble::Consumed& piece, TimeNs now, PointId point);
  static bool joined_once(const Connection& c);
  static bool apart_from_plain(const Subflow& f, Side side, const reassemble::Consumed& piece);
  void follow_plainly(Subflow& f, Side side, std::uint64_t at);

  // midstream.cc
  Fate on_unknown(const Segment& s);
  void link_by_dsn(Subflow& f, Side side, std::uint64_t dsn, TimeNs now);
  void index_dsn(Connection& c, Direction d, std::uint64_t dsn);
  void unindex_dsn(Connection& c);
  void absorb(Connection& into, Connection& from, bool flipped, TimeNs now);
  void hold(Connection& c, TimeNs most_ns);
  void release_hold(Connection& c, TimeNs now);
  void anchor(Subflow& f, Side side, const Segment& s, std::uint64_t at, const wire::mptcp::Dss& dss);
  void guess_anchor(Subflow& f, Side side, TimeNs now, PointId point);
  void set_anchor(Subflow& f, Side side, std::uint64_t ssn_base, TimeNs now, PointId point);
  Subflow& add_midstream(const Segment& s, bool mptcp, bool sender_opens);
  Connection* near_dsn(const Connection& mine, Direction d, std::uint64_t dsn, bool& flipped);

  // lifecycle.cc
  Connection& add_connection(TimeNs now, bool mptcp);
  void touch(Connection& c, TimeNs now);
  void move_to(Connection& c, ListId list);
  TimeNs deadline(const Connection& c) const;
  void expire(TimeNs now, std::size_t most);
  void end(Connection& c);
  void finish_streams(Connection& c);
  void note_size();
  void finish_all();
  ConnectionState state_of(const Connection& c) const;
  void write_record(Connection& c);
  void write_flow(Connection& c);
  SubflowRecord record_of(const Connection& c, const Subflow& f) const;
  struct Exchanged {
    std::uint64_t before = 0;  ///< of all: what the processes before this one knew of
    std::uint64_t seen = 0, gaps = 0;
  };
  static Exchanged exchanged_by(const Connection& c);
  static void note_excused(Connection& c, Direction d, std::uint64_t begin, std::uint64_t end);
  double visibility_of(const Connection& c) const;
  void remove_subflow(Subflow* f);
  void index_token(Connection& c, std::size_t host);
  void unindex_token(Connection& c, std::size_t host);
  const ConnectionInfo& info(Connection& c);  ///< valid until it is called for another connection
  static bool has_final_id(const Connection& c);
  void tell_pending(Connection& c, bool identified);
  void remove(Connection& c, bool recorded = false);
  ListId list_for(const Connection& c) const;
  std::uint64_t held_of(const Connection& c) const;
  std::uint64_t memory() const;

  // stripped.cc
  void sight(Subflow& f, Side side, const Segment& s, const PointView& v, std::uint16_t subtypes);
  void suspect(Subflow& f, const Suspect& found);
  void judge_suspects(Subflow& f);
  void answered_without_option(Subflow& f, TimeNs time_ns);
  void tell_answered_without(Subflow& f);
  void judge_waiting_suspects(TimeNs now);
  void forget_suspects(const Subflow& f);
  void remember_plain_syn(const Segment& s);
  void compare_with_plain_syn(Subflow& f, const Segment& s);

  // timeline.cc
  void tell_mapped(Connection& c, Direction d, std::uint64_t offset, std::uint64_t bytes, std::uint32_t subflow, bool seen_before, TimeNs now);
  void tell_option(Subflow& f, Side side, const char* name, std::string detail, TimeNs now);
  void tell_options(Subflow& f, Side side, const Segment& s, const SegmentOptions& options);

  // inline.cc
  void refuse(Refusal refusal);
  void judging(const Subflow& f, Side side);
  void withhold(std::uint32_t payload_bytes);
  Connection* by_number(std::uint64_t number) const;
  bool half_known(const Connection& c) const;
  bool is_half_open_of_blocked(const Subflow& f) const;
  bool follows_unseen(const Connection& c) const;
  void tell_unseen(const Connection& c, bool settled);
  bool had_passed(const Connection& c, std::uint64_t& settled, std::uint64_t acked, std::uint64_t next) const;
  void remember_ended(const Connection& c);
  bool ended_before(const Segment& s);
  void note_old_window(Subflow& f, Side side, const wire::TcpSegment& tcp, PointView& v, const SegmentOptions& options);
  bool takes_inline(Subflow& f, Side side, const Segment& s, PointView& v, const SegmentOptions& options, track::Acceptance acceptance);
  Refusal option_refusal(const Subflow& f, Side side, const SegmentOptions& options) const;
  Refusal fin_refusal(const Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options) const;
  void raise_refusal(Subflow& f, Side side, const Segment& s, const SegmentOptions& options, Refusal refusal);
  bool missed(const Connection& c) const;
  bool window_known(const Connection& c) const { return !judged_echoes_unseen && !missed(c); }
  static bool echoes_unseen(const track::TcpView& receiver, const wire::TcpSegment& tcp);
  bool is_of_host(const Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options) const;
  bool may_be_ahead(const Subflow& f, Side side, const PointView& v, const wire::TcpSegment& tcp) const;
  bool content_refused(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options);
  std::uint64_t followed_ack(Subflow& f, Side acked_side, std::uint64_t acked);
  std::optional<std::uint64_t> followed_data_ack(Connection& c, Direction d, std::uint64_t at, bool wide);
  void go_on_behind_unseen(Subflow& f, Side side, TimeNs now);

  // goes_by.cc
  void take_ends(Subflow& f);
  void goes_on_after_reset(Subflow& f, Side side);
  static bool ended_by_both(const Connection& c);

  // inline_segment.cc
  static bool is_signed(const wire::TcpSegment& tcp);
  bool thrown_away(Subflow& f, Side side, const PointView& v, const wire::TcpSegment& tcp);
  template <typename Guard>
  static void remember_skipped(Guard& guard, std::size_t which, std::uint64_t begin, std::uint64_t end);
  static bool was_skipped(const std::vector<Skipped>& skipped, std::uint64_t begin, std::uint64_t end);
  bool skip_gap(Subflow& f, Side side, TimeNs now, TimeNs wait);
  bool skip_gap(Connection& c, Direction d, TimeNs now, TimeNs wait);

  // inline_payload.cc
  struct SeenMapping {
    bool infinite = false;
    std::optional<reassemble::Mapping> mapping;
  };
  static ConnectionGuard& guard(Connection& c);
  static SubflowGuard& guard(Subflow& f);
  static std::uint64_t passed_of(const Connection& c);
  static std::uint64_t plain_delta(const Connection& c, const Subflow& f, Side side);
  static bool may_fall_back(const Connection& c, Direction d);
  static bool brings_key(const Subflow& f, Side side, const SegmentOptions& options);
  SeenMapping seen_mapping(const Subflow& f, Side side, std::uint64_t at, const SegmentOptions& options) const;
  Refusal payload_refusal(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options);
  Refusal segment_refusal(Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes);
  static std::uint64_t plain_dsn(const Subflow& f, Side side, std::uint64_t at);
  static Refusal fallen_back_refusal(const Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes, const SeenMapping& seen);
  static Refusal unmapped_refusal(const Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes);
  Refusal mapping_refusal(Subflow& f, Side side, std::uint64_t at, std::uint64_t end, const reassemble::Mapping& m);
  static std::uint64_t data_edge(const Connection& c, Direction d);
  Refusal data_refusal(Subflow& f, Side side, std::uint64_t at, std::span<const std::byte> bytes, const reassemble::Mapping& m);
  bool passed_before(const Subflow& f, Side side, const Segment& s, const PointView& v) const;
  void keep_passed(Subflow& f, Side side, const Segment& s, const PointView& v, const SegmentOptions& options);
  void let_go(Subflow& f, Side side);
  void let_go(Connection& c, Direction d);

  // resume.cc
  std::uint64_t tuple_hash(const Endpoints& e, bool& low_is_src) const;
  void resume_data(Connection& c, const SavedConnection& s, std::size_t d);
  bool resume_subflow(Connection& c, const SavedSubflow& s);
  bool resume(const SavedConnection& s, Since since, TimeNs settles_until);

  // resume_passed.cc
  static void save_passed(const Connection& c, std::span<const Subflow* const> subflows, SavedConnection& into);
  void bound_saved(std::vector<SavedConnection>& all);
  bool resume_copy(reassemble::PassedBytes& kept, const SavedPiece& piece, const reassemble::PassedBlock& block);
  void resume_stream(Connection& c, const SavedConnection& s, std::size_t d);
  void resume_passed(Subflow& f, Side side, const SavedSubflow& s);
  ConnectionRecord record_of(Connection& c);

  // uses.cc
  void tell_use(Connection& c, inspect::MptcpUse use, TimeNs now);
  void tell_use_of(Connection& c, bool completed, TimeNs now);
  void tell_use_of_joined(Connection& c, std::span<Subflow* const> subflows, TimeNs now);
  void tell_use_at_end(Connection& c, bool begun);
  void tell_use_of_subflow(Subflow& f, std::size_t live, TimeNs now);
  void tell_dns(const wire::Decoded& decoded, TimeNs now);

  // anomalies.cc
  bool raise(Connection& c, inspect::Event event, TimeNs now, inspect::Detail detail, std::optional<std::pair<PointId, PointId>> between = {});
  void raise_unknown(const Segment& s, inspect::Event event, inspect::Detail detail);
  void raise_tcp(Connection& c, const char* event, TimeNs now, std::uint32_t bit);

  /// Connections whose info() is told without making its text anew.
  static constexpr std::size_t kInfos = 1'024;

  Settings settings;
  Limits& limits;
  Observer& observer;
  Counters counters;
  /// Inline: tuples of connections that were over, and since when. One host may not have heard of the end: without a new SYN no data passes.
  boost::unordered_flat_map<std::uint64_t, TimeNs> ended_flows;
  /// What the packet under way says of the end of its subflow, or of the connection; inline.
  struct EndsTold {
    Side side = kOpener;
    bool fin = false, rst = false, data_fin = false;
    std::uint64_t fin_position = 0;
    std::optional<std::uint64_t> fastclose_key;
  };
  EndsTold ends_told;
  std::uint64_t judged_delivered = 0, judged_next = 0;        ///< before it: delivered_bytes(), and where its subflow was
  bool judged_held = false;                                   ///< its connection waits for keys
  bool judged_of_host = false;                                ///< it says what only its sender, and who sees its packets, can know
  bool judged_echoes_unseen = false;                          ///< see echoes_unseen()
  bool under_way = false;                                     ///< within judge(), its packet is being followed
  Judgement judged;                                           ///< of the packet under way; inline
  std::array<std::uint64_t, kRefusalNames.size()> refused{};  ///< by Refusal
  std::map<std::uint64_t, Connection*> numbers;               ///< inline: every connection; in order, as they are shown a page at a time
  wire::Defragmenter defragmenter;
  std::vector<wire::Decoded> batch;
  std::vector<std::uint64_t> hashes;
  std::vector<std::uint8_t> from_lows;
  reassemble::SubflowOutput subflow_output;
  reassemble::DataOutput data_output;
  std::vector<ConnectionInfo> infos;  ///< by number, modulo kInfos; numbers begin at 1

  track::FlowTable<FlowRef> flows;
  boost::unordered_flat_map<std::uint32_t, Connection*> tokens;   ///< chained by next_same_token
  boost::unordered_flat_map<std::uint32_t, Connection*> orphans;  ///< by the token their JOINs name
  boost::unordered_flat_map<std::uint64_t, std::vector<Connection*>> dsn_index;
  boost::unordered_flat_map<std::uint64_t, Subflow*> half_seen;  ///< SYNs without a SYN/ACK, and the reverse, by one side's address and the opener's ISN
  boost::unordered_flat_map<std::uint64_t, std::vector<Subflow*>> tunnel_pairs;  ///< by tuple and tunnel without its TEID
  boost::intrusive::list<Connection> lists[kLists];
  std::vector<std::unique_ptr<Connection>> removed;  ///< deleted once the step is over: it may still be looked at
  std::uint64_t next_number = 0;
  std::size_t connections = 0;
  bool finished = false;
  TimeNs now_ns = 0;
  std::uint64_t held_memory = 0;    ///< octets of copies in queues and rings
  std::uint64_t passed_memory = 0;  ///< inline: octets that passed and wait for their acknowledgement

  boost::unordered_flat_set<std::uint64_t> right_sources;  ///< hash of (point, source): has sent a right checksum
  struct PlainSyn {
    std::uint32_t isn = 0;
    PointId point = 0;
    TimeNs time_ns = 0;
    std::uint32_t ts_value = 0;
    std::uint32_t ip_id = 0;
  };
  boost::unordered_flat_map<std::uint64_t, PlainSyn> plain_syns;
  std::vector<Subflow*> suspected;  ///< whose SYNs differ between points, oldest first: other points have their time to show them
  boost::unordered_flat_map<std::uint64_t, std::uint8_t> answered_version;  ///< highest MPTCP version a host answered with
  inspect::Watch<IpAddress, IpAddressHash> joins_to_host;
  inspect::Watch<IpAddress, IpAddressHash> unknown_joins;
  inspect::Watch<IpAddress, IpAddressHash> offered_addresses;
  boost::unordered_flat_set<std::uint64_t> told_sources;  ///< events without a connection: once a source and event
};

}  // namespace weir::engine
