// Packet in, shard out: who owns a connection, and what waits until that is known.
#include "engine/dispatch.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "track/keys.h"
#include "wire/mptcp/parse.h"
#include "wire/sample_packets.h"

namespace weir::engine {
namespace {

using wire::sample::Octets;
namespace mptcp = wire::mptcp;

constexpr std::uint8_t kSyn = 0x02, kSynAck = 0x12, kAck = 0x10, kRst = 0x04;
constexpr std::uint64_t kClientKey = 0x0102030405060708, kServerKey = 0xa1b2c3d4e5f60718;
constexpr TimeNs kMs = 1'000'000;

/// One directory, as all workers of a sensor share it.
class Directory : public Owners {
 public:
  std::optional<Owner> find(OwnerSpace space, std::uint64_t key) override { return table(space).find(key); }
  Owner claim(OwnerSpace space, std::uint64_t key, ShardId shard, bool mark) override { return table(space).claim(key, shard, mark); }
  void assign(OwnerSpace space, std::uint64_t key, ShardId shard) override { table(space).assign(key, shard); }
  void forget(OwnerSpace space, std::uint64_t key, ShardId shard) override { table(space).forget(key, shard); }
  void keep_plain_syn(std::uint64_t opener, const RawPacket& packet) override { plain_syns.keep(opener, packet); }
  std::vector<KeptPacket> take_plain_syns(std::uint64_t opener) override { return plain_syns.take(opener); }
  PlainSyns plain_syns{2};

 private:
  OwnerTable& table(OwnerSpace space) { return tables_.try_emplace(space, std::size_t{1024}).first->second; }
  std::map<OwnerSpace, OwnerTable> tables_;
};

/// A dispatcher and what it passed on: "SHARD:TIME", in the order of passing.
struct Desk : Dispatcher::Sink {
  Desk(Directory& directory, DispatchSettings settings) : dispatcher(settings, directory, *this) {}
  void pass(const RawPacket& packet, ShardId shard) override {
    EXPECT_FALSE(packet.bytes.empty());
    passed.push_back(std::to_string(shard) + ":" + std::to_string(packet.time_ns / kMs));
  }
  void settle() override {}

  void take(const Octets& ip, TimeNs ms, PointId point = 0) {
    dispatcher.take({.bytes = ip, .original_bytes = static_cast<std::uint32_t>(ip.size()), .time_ns = ms * kMs, .link = LinkType::kRaw, .point = point});
  }
  std::vector<std::string> taken() { return std::exchange(passed, {}); }

  Dispatcher dispatcher;
  std::vector<std::string> passed;
};

Octets option(const mptcp::Option& value) {
  Octets out(40);
  out.resize(mptcp::emit_option(value, out));
  while (out.size() % 4 != 0) out.push_back(std::byte{1});
  return out;
}

struct Flow {
  std::uint32_t client = 0x0a000001, server = 0x0a000002;
  std::uint16_t port = 40000;
};

/// `from_client`: its direction. ISNs are those of the sample: a SYN has sequence number 1000; so has whatever follows 1001.
Octets packet(const Flow& flow, std::uint8_t flags, bool from_client, const Octets& options = {}, std::uint32_t isn = 1000, std::string_view payload = "") {
  Octets out;
  const bool first = flags == kSyn;
  const SeqNum opener{isn + (first ? 0U : 1U)}, answerer{7000 + (flags == kSynAck ? 0U : 1U)};
  wire::emit_tcp_packet({.src = wire::sample::v4(from_client ? flow.client : flow.server),
                         .dst = wire::sample::v4(from_client ? flow.server : flow.client),
                         .src_port = from_client ? flow.port : std::uint16_t{80},
                         .dst_port = from_client ? std::uint16_t{80} : flow.port,
                         .seq = from_client ? opener : answerer,
                         .ack = first ? SeqNum{0} : (from_client ? answerer : opener),
                         .flags = wire::TcpFlags{flags},
                         .window = 500,
                         .options = options},
                        wire::sample::text(payload), out);
  return out;
}

Octets capable(std::uint8_t version, std::optional<std::uint64_t> sender = {}, std::optional<std::uint64_t> receiver = {}) {
  mptcp::MpCapable value;
  value.version = version;
  value.sender_key = sender;
  value.receiver_key = receiver;
  return option(value);
}
Octets capable_syn() { return capable(1); }
Octets capable_syn_ack() { return capable(1, kServerKey); }
Octets capable_ack() { return capable(1, kClientKey, kServerKey); }
Octets join(std::uint32_t token) { return option(mptcp::MpJoinSyn{.token = token, .nonce = 9}); }
Octets dss() {
  mptcp::Dss value;
  value.data_ack = {.value = 5, .wide = true};
  return option(value);
}
std::uint32_t server_token() { return track::digest_key(kServerKey, 1).token; }
std::uint32_t client_token() { return track::digest_key(kClientKey, 1).token; }

using Passed = std::vector<std::string>;

class DispatchTest : public testing::Test {
 protected:
  static DispatchSettings settings(ShardId self) { return {.self = self, .hash_seed = 5}; }
  static DispatchSettings of_several_points(ShardId self) { return {.self = self, .several_points = true, .hash_seed = 5}; }
  void handshake(Desk& desk, const Flow& flow = {}) {
    desk.take(packet(flow, kSyn, true, capable_syn()), 1);
    desk.take(packet(flow, kSynAck, false, capable_syn_ack()), 2);
    desk.take(packet(flow, kAck, true, capable_ack()), 3);
  }
  Directory directory;
  const Flow other_path{.client = 0x0a000101, .server = 0x0a000102, .port = 5000};
};

TEST_F(DispatchTest, WhoSawAConnectionFirstOwnsItAndAllItsSubflows) {
  Desk first(directory, settings(1)), second(directory, settings(2));
  handshake(first);
  EXPECT_EQ(first.taken(), (Passed{"1:1", "1:2", "1:3"}));
  second.take(packet(other_path, kSyn, true, join(server_token())), 10);
  second.take(packet(other_path, kSynAck, false), 11);
  second.take(packet(other_path, kAck, true, {}, 1000, "plain bytes"), 12);
  EXPECT_EQ(second.taken(), (Passed{"1:10", "1:11", "1:12"})) << "also packets without any option";
  const Flow by_server{.client = 0x0a000102, .server = 0x0a000101, .port = 6000};
  second.take(packet(by_server, kSyn, true, join(client_token())), 13);
  EXPECT_EQ(second.taken(), (Passed{"1:13"})) << "either side may open subflows";
}

TEST_F(DispatchTest, Version0TellsTheClientsKeyInItsSyn) {
  Desk first(directory, settings(1)), second(directory, settings(2));
  first.take(packet({}, kSyn, true, capable(0, kClientKey)), 1);
  const Flow by_server{.client = 0x0a000102, .server = 0x0a000101, .port = 6000};
  second.take(packet(by_server, kSyn, true, join(track::digest_key(kClientKey, 0).token)), 2);
  EXPECT_EQ(second.taken(), (Passed{"1:2"}));
}

TEST_F(DispatchTest, AJoinWaitsForTheKeysWithAllThatFollowsIt) {
  Desk first(directory, settings(1)), second(directory, settings(2));
  second.take(packet(other_path, kSyn, true, join(server_token())), 10);
  second.take(packet(other_path, kSynAck, false, option(mptcp::MpJoinSynAck{.hmac = 1, .nonce = 2})), 11);
  second.take(packet(other_path, kAck, true, {}, 1000, "data"), 12);
  EXPECT_EQ(second.taken(), Passed{});
  handshake(first);
  second.dispatcher.advance(20 * kMs);
  EXPECT_EQ(second.taken(), (Passed{"1:10", "1:11", "1:12"}));
  second.take(packet(other_path, kAck, true, dss()), 21);
  EXPECT_EQ(second.taken(), (Passed{"1:21"}));
  EXPECT_EQ(second.dispatcher.counters().held, 3U);
  EXPECT_EQ(second.dispatcher.counters().hold_ended, 0U);
}

TEST_F(DispatchTest, WhatComesNextAlsoEndsTheWait) {
  Desk first(directory, settings(1)), second(directory, settings(2));
  second.take(packet(other_path, kSyn, true, join(server_token())), 10);
  handshake(first);
  second.take(packet(other_path, kSynAck, false), 11);
  EXPECT_EQ(second.taken(), (Passed{"1:10", "1:11"}));
}

TEST_F(DispatchTest, AJoinThatNoOneClaimsGoesToTheOrphans) {
  Desk desk(directory, settings(2));
  desk.take(packet(other_path, kSyn, true, join(0x12345678)), 10);
  desk.dispatcher.advance(509 * kMs);
  EXPECT_EQ(desk.taken(), Passed{});
  desk.dispatcher.advance(511 * kMs);
  EXPECT_EQ(desk.taken(), (Passed{"0:10"}));
  desk.take(packet(other_path, kAck, true, {}, 1000, "data"), 600);
  EXPECT_EQ(desk.taken(), (Passed{"0:600"}));
  EXPECT_EQ(desk.dispatcher.counters().hold_ended, 1U);
}

TEST_F(DispatchTest, WaitingIsBounded) {
  auto few = settings(2);
  few.hold_flows = 2;
  Desk desk(directory, few);
  for (std::uint16_t port = 1; port <= 3; ++port) desk.take(packet({.port = port}, kSyn, true, join(port)), port);
  EXPECT_EQ(desk.taken(), (Passed{"0:1"})) << "the longest waiting";
  EXPECT_EQ(desk.dispatcher.counters().hold_pushed, 1U);
  auto small = settings(2);
  small.hold_bytes = 600;
  Desk tight(directory, small);
  for (std::uint16_t port = 11; port <= 14; ++port) tight.take(packet({.port = port}, kSyn, true, join(port)), port);
  EXPECT_EQ(tight.taken(), (Passed{"0:11"}));
  tight.dispatcher.finish();
  EXPECT_EQ(tight.taken(), (Passed{"0:12", "0:13", "0:14"}));
}

TEST_F(DispatchTest, WhatBeganUnseenGoesWhereItCanBeLinked) {
  Desk first(directory, settings(1)), second(directory, settings(2));
  first.take(packet({}, kAck, true, dss(), 1000, "data"), 1);
  second.take(packet(other_path, kAck, false, dss(), 1000, "data"), 2);
  second.take(packet(other_path, kAck, true), 3);
  EXPECT_EQ(first.taken(), (Passed{"0:1"}));
  EXPECT_EQ(second.taken(), (Passed{"0:2", "0:3"}));
}

TEST_F(DispatchTest, PlainTcpIsLeftOutAndCounted) {
  Desk desk(directory, settings(1));
  desk.take(packet({}, kSyn, true), 1);
  desk.take(packet({}, kSynAck, false), 2);
  desk.take(packet({}, kAck, true, {}, 1000, "data"), 3);
  desk.take(packet({}, kRst, true), 4);
  EXPECT_EQ(desk.taken(), Passed{});
  EXPECT_EQ(desk.dispatcher.counters().skipped, 4U);
  EXPECT_EQ(desk.dispatcher.skipped().decode_tcp, 4U);
  EXPECT_EQ(desk.dispatcher.skipped().decode_packets, 4U);
}

TEST_F(DispatchTest, PlainTcpStaysWithWhomItCameToIfItIsWanted) {
  auto all = settings(1);
  all.all_tcp = true;
  Desk first(directory, all);
  all.self = 2;
  Desk second(directory, all);
  first.take(packet({}, kSyn, true), 1);
  second.take(packet({}, kSynAck, false), 2);
  EXPECT_EQ(first.taken(), (Passed{"1:1"}));
  EXPECT_EQ(second.taken(), (Passed{"1:2"})) << "whichever worker sees the other direction";
}

TEST_F(DispatchTest, ANatBetweenTwoPointsChangesNothing) {
  Desk first(directory, of_several_points(1)), second(directory, of_several_points(2));
  const Flow inside{}, outside{.client = 0xc0000201, .port = 61000};
  first.take(packet(inside, kSyn, true, capable_syn(), 4711), 1, 0);
  second.take(packet(outside, kSyn, true, capable_syn(), 4711), 2, 1);
  second.take(packet(outside, kSynAck, false, capable_syn_ack(), 4711), 3, 1);
  EXPECT_EQ(second.taken(), (Passed{"1:2", "1:3"}));
  // The option was taken off on the way: both SYNs have to be compared in one place.
  second.take(packet({.port = 7}, kSyn, true, {}, 815), 4, 1);
  first.take(packet({.port = 7}, kSyn, true, capable_syn(), 815), 5, 0);
  EXPECT_EQ(second.taken(), (Passed{"2:4"}));
  EXPECT_EQ(first.taken(), (Passed{"1:1", "2:5"}));
  // A plain SYN at both points is looked at, and nothing else of its connection.
  first.take(packet({.port = 8}, kSyn, true, {}, 900), 6, 0);
  second.take(packet({.port = 8}, kSyn, true, {}, 900), 7, 1);
  first.take(packet({.port = 8}, kAck, true, {}, 900, "data"), 8, 0);
  EXPECT_EQ(first.taken(), (Passed{"1:6"}));
  EXPECT_EQ(second.taken(), (Passed{"1:7"}));
}

TEST_F(DispatchTest, AJoinTakesItsStrippedCopiesAlong) {
  Desk first(directory, of_several_points(1)), second(directory, of_several_points(2));
  handshake(first);
  first.taken();
  second.take(packet(other_path, kSyn, true, {}, 4711), 4, 1);
  second.take(packet({.port = 9}, kSyn, true, {}, 4712), 5, 1);
  EXPECT_EQ(second.taken(), (Passed{"2:4", "2:5"})) << "no one knows yet that there is another copy";
  second.take(packet(other_path, kSyn, true, join(server_token()), 4711), 6, 0);
  EXPECT_EQ(second.taken(), (Passed{"1:4", "1:6"})) << "both where the connection is";
  second.take(packet(other_path, kSyn, true, {}, 4711), 7, 2);
  EXPECT_EQ(second.taken(), (Passed{"1:7"})) << "and those that come after";
}

TEST_F(DispatchTest, AJoinThatWaitedTakesItsStrippedCopiesAlong) {
  Desk first(directory, of_several_points(1)), second(directory, of_several_points(2));
  second.take(packet(other_path, kSyn, true, {}, 4711), 1, 1);
  second.take(packet(other_path, kSyn, true, join(server_token()), 4711), 2, 0);
  second.taken();
  handshake(first);
  second.dispatcher.advance(4 * kMs);
  EXPECT_EQ(second.taken(), (Passed{"1:1", "1:2"}));
}

TEST_F(DispatchTest, OfPlainSynsTheLatestAreKept) {
  Desk first(directory, of_several_points(1)), second(directory, of_several_points(2));
  handshake(first);
  for (const std::uint32_t isn : {4711U, 4712U, 4713U}) second.take(packet({.port = static_cast<std::uint16_t>(isn)}, kSyn, true, {}, isn), isn, 1);
  second.taken();
  for (const std::uint32_t isn : {4711U, 4713U})
    second.take(packet({.port = static_cast<std::uint16_t>(isn)}, kSyn, true, join(server_token()), isn), isn + 10, 0);
  EXPECT_EQ(second.taken(), (Passed{"1:4721", "1:4713", "1:4723"}));
}

TEST_F(DispatchTest, ABoxThatChangesSequenceNumbersTooIsSeenByTheKeys) {
  Desk first(directory, of_several_points(1)), second(directory, of_several_points(2));
  first.take(packet({}, kSyn, true, capable_syn(), 100), 1, 0);
  first.take(packet({}, kSynAck, false, capable_syn_ack(), 100), 2, 0);
  const Flow outside{.client = 0xc0000201, .port = 61000};
  second.take(packet(outside, kSyn, true, capable_syn(), 200), 3, 1);
  second.take(packet(outside, kSynAck, false, capable_syn_ack(), 200), 4, 1);
  second.take(packet(outside, kAck, true, capable_ack(), 200), 5, 1);
  EXPECT_EQ(second.taken(), (Passed{"2:3", "1:4", "1:5"}));
}

TEST_F(DispatchTest, AFlowThatIsFollowedStaysWhereItIs) {
  Desk first(directory, settings(1)), second(directory, settings(2));
  handshake(first);
  handshake(second, other_path);  // the same keys do not matter: its flow is its own
  second.taken();
  second.take(packet(other_path, kSyn, true, join(server_token()), 90'000), 100);
  second.take(packet(other_path, kAck, true, {}, 90'000, "data"), 101);
  EXPECT_EQ(second.taken(), (Passed{"2:100", "2:101"})) << "anyone can send a SYN";
}

TEST_F(DispatchTest, FragmentsGoOnTogetherWithTheWhole) {
  Desk first(directory, settings(1)), second(directory, settings(2));
  handshake(first);
  const Octets whole = packet({}, kAck, true, {}, 1000, "some more data than fits into one fragment");
  Octets head(whole.begin(), whole.begin() + 20 + 24), tail(whole.begin(), whole.begin() + 20);
  tail.insert(tail.end(), whole.begin() + 20 + 24, whole.end());
  wire::sample::set16(head, 2, head.size());
  wire::sample::set16(head, 6, 0x2000);
  wire::sample::fix_ipv4(head);
  wire::sample::set16(tail, 2, tail.size());
  wire::sample::set16(tail, 6, 3);
  wire::sample::fix_ipv4(tail);
  second.take(tail, 10);
  EXPECT_EQ(second.taken(), Passed{});
  second.take(head, 11);
  EXPECT_EQ(second.taken(), (Passed{"1:10", "1:11"}));
  second.take(head, 12);
  second.dispatcher.advance(31'000 * kMs);
  EXPECT_EQ(second.taken(), (Passed{"2:12"})) << "never whole: counted by the shard beside";
}

TEST_F(DispatchTest, WhatIsNoTcpStays) {
  Desk desk(directory, settings(2));
  desk.take(wire::sample::ipv4(1, wire::sample::text("ping")), 1);
  EXPECT_EQ(desk.taken(), (Passed{"2:1"}));
}

TEST(OwnerTableTest, KeepsWhatIsInUseAndNeverMore) {
  OwnerTable table(8);
  table.claim(1, 5, false);
  EXPECT_EQ(table.claim(1, 6, true), (Owner{5, true})) << "the first claim stands, a mark stays";
  EXPECT_EQ(table.claim(1, 6, false), (Owner{5, true}));
  for (std::uint64_t key = 100; key < 200; ++key) {
    table.claim(key, 1, false);
    EXPECT_EQ(table.find(1), (Owner{5, true}));
    EXPECT_LE(table.size(), 8U);
  }
  EXPECT_GT(table.evicted(), 0U);
  EXPECT_EQ(table.find(100), std::nullopt);
  table.assign(1, 7);
  EXPECT_EQ(table.find(1), (Owner{7, false}));
  table.renew();
  EXPECT_EQ(table.find(1), (Owner{7, false})) << "asked for";
  table.renew();
  table.renew();
  EXPECT_EQ(table.find(1), std::nullopt);
  table.claim(2, 1, false);
  table.forget(2, 3);
  EXPECT_EQ(table.find(2), (Owner{1, false})) << "another shard's";
  table.forget(2, 1);
  EXPECT_EQ(table.find(2), std::nullopt);
}

}  // namespace
}  // namespace weir::engine
