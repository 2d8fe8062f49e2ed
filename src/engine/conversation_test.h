// Two hosts that speak MPTCP through an engine inline, packet by packet: for tests.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "engine/inspection.h"
#include "inspect/rules/parse.h"
#include "track/keys.h"
#include "wire/emit.h"
#include "wire/mptcp/parse.h"

namespace weir::engine {

using namespace wire::mptcp;

/// A packet of one subflow, with what a sender would usually put there.
struct Packet {
  std::uint32_t subflow = 0;
  bool to_server = true;
  std::uint32_t ssn = 1;  ///< of its first octet
  std::string payload{};
  std::uint8_t flags = 0x10;
  std::uint32_t acks = 1;  ///< the other direction's SSN that comes next
  std::vector<Option> options{};
  std::uint16_t window = 0xffff;
  bool break_checksum = false;
  std::vector<std::uint8_t> other_options{};  ///< as on the wire
};

class Conversation : public ::testing::Test, public Observer {
 protected:
  static constexpr std::uint64_t kClientKey = 0x0102030405060708, kServerKey = 0xa1b2c3d4e5f60718;
  static constexpr std::uint32_t kClientIsn = 1'000, kServerIsn = 5'000'000;
  static constexpr std::uint32_t kClientNonce = 0x11223344, kServerNonce = 0x55667788;

  void start(Settings settings = {}, const std::string& rules = "drop tcp any any -> any any (content:\"attack\"; sid:1;)\n") {
    settings.inline_mode = true;
    settings.checksums = ChecksumPolicy::kVerify;
    auto parsed = inspect::rules::parse(rules, "test", {});
    std::vector<inspect::match::Refused> refused;
    inspection = std::make_unique<Inspection>(
        InspectionSettings{.limits = settings.limits, .rules = inspect::match::RuleSet::make(std::move(parsed.rules), Limits{}, nullptr, refused)}, *this);
    engine = std::make_unique<Engine>(settings, *inspection);
    inspection->prevent(*engine);
  }
  /// A new engine that goes on with the connection that another one saved.
  void resume(std::span<const std::byte> saved, const Settings& settings) {
    start(settings);
    scanned = {};
    gaps = {};
    const auto resumed = engine->restore(saved, now);
    ASSERT_TRUE(resumed.has_value());
    EXPECT_EQ(*resumed, 1U);
  }
  /// The first subflow's handshake.
  Judgement connect(bool checksum = false) {
    MpCapable syn;
    syn.version = version;
    syn.checksum_required = checksum;
    if (version == 0) syn.sender_key = kClientKey;
    EXPECT_TRUE(send({.ssn = 0, .flags = 0x02, .acks = 0, .options = {syn}}).opens_connection);
    MpCapable syn_ack = syn;
    syn_ack.sender_key = kServerKey;
    send({.to_server = false, .ssn = 0, .flags = 0x12, .options = {syn_ack}});
    MpCapable ack = syn;
    ack.sender_key = kClientKey;
    ack.receiver_key = kServerKey;
    return send({.options = {ack}});
  }
  MpJoinSyn join_syn(std::uint32_t subflow = 1) const {
    return {.backup = false, .address_id = 2, .token = track::digest_key(kServerKey, version).token, .nonce = kClientNonce + subflow};
  }
  MpJoinSynAck join_syn_ack(std::uint32_t subflow = 1) const {
    return {.backup = false,
            .address_id = 3,
            .hmac = track::leftmost_64(track::join_hmac(version, kServerKey, kClientKey, kServerNonce, kClientNonce + subflow)),
            .nonce = kServerNonce};
  }
  MpJoinAck join_ack(std::uint32_t subflow = 1) const { return {track::join_hmac(version, kClientKey, kServerKey, kClientNonce + subflow, kServerNonce)}; }
  /// Another subflow.
  void join(std::uint32_t subflow = 1) {
    EXPECT_TRUE(send({.subflow = subflow, .ssn = 0, .flags = 0x02, .acks = 0, .options = {join_syn(subflow)}}).opens_subflow);
    EXPECT_EQ(refusal({.subflow = subflow, .to_server = false, .ssn = 0, .flags = 0x12, .options = {join_syn_ack(subflow)}}), "none");
    EXPECT_EQ(refusal({.subflow = subflow, .options = {join_ack(subflow)}}), "none");
    EXPECT_EQ(refusal({.subflow = subflow, .to_server = false}), "none");  // the fourth ACK
  }
  /// A connection that is confirmed both ways: the first octet of each stream, "c" and "s", has gone and was acknowledged.
  void establish() {
    connect();
    EXPECT_EQ(data(0, 1, 0, "c"), "none");
    EXPECT_EQ(refusal({.to_server = false, .acks = 2, .options = {ack_of(true, 1)}}), "none");
    EXPECT_EQ(refusal({.to_server = false, .payload = "s", .acks = 2, .options = {mapped(false, 0, 1, 1, 1)}}), "none");
    EXPECT_EQ(refusal({.ssn = 2, .acks = 2, .options = {ack_of(false, 1)}}), "none");
  }
  std::uint64_t first_dsn(bool to_server) const { return track::digest_key(to_server ? kClientKey : kServerKey, version).idsn + 1; }
  /// A DSS with a mapping, and a DATA_ACK of `acked` octets of the other direction.
  Dss mapped(bool to_server, std::uint64_t offset, std::uint32_t ssn, std::size_t length, std::uint64_t acked = 0) const {
    Dss dss;
    dss.data_ack = Dss::DataAck{.value = first_dsn(!to_server) + acked, .wide = true};
    dss.mapping = Dss::Mapping{.dsn = first_dsn(to_server) + offset, .wide = true, .ssn = ssn, .length = static_cast<std::uint16_t>(length), .checksum = {}};
    return dss;
  }
  /// A DATA_ACK alone: of octets in the direction named.
  Dss ack_of(bool to_server, std::uint64_t offset) const {
    Dss dss;
    dss.data_ack = Dss::DataAck{.value = first_dsn(to_server) + offset, .wide = true};
    return dss;
  }
  /// Data to the server, in a mapping of its own.
  std::string data(std::uint32_t subflow, std::uint32_t ssn, std::uint64_t offset, std::string_view text) {
    return refusal({.subflow = subflow, .ssn = ssn, .payload = std::string(text), .options = {mapped(true, offset, ssn, text.size())}});
  }
  std::string refusal(const Packet& p) { return std::string(name_of(send(p).refusal)); }

  Judgement send(const Packet& p) {
    const std::array<std::byte, 4> client{std::byte{10}, std::byte{0}, std::byte{0}, std::byte{1}};
    const std::array<std::byte, 4> server{std::byte{192}, std::byte{0}, std::byte{2}, std::byte{2}};
    std::vector<std::byte> options;
    for (const Option& option : p.options) {
      std::array<std::byte, 40> one{};
      const std::size_t size = emit_option(option, one);
      options.insert(options.end(), one.begin(), one.begin() + static_cast<std::ptrdiff_t>(size));
      while (options.size() % 4 != 0) options.push_back(std::byte{1});
    }
    for (const std::uint8_t octet : p.other_options) options.push_back(std::byte{octet});
    while (options.size() % 4 != 0) options.push_back(std::byte{1});
    wire::EmitTcp header;
    header.src = IpAddress::v4(p.to_server ? client : server);
    header.dst = IpAddress::v4(p.to_server ? server : client);
    const auto port = static_cast<std::uint16_t>(40'000 + p.subflow);
    header.src_port = p.to_server ? port : 80;
    header.dst_port = p.to_server ? 80 : port;
    header.seq = SeqNum{(p.to_server ? kClientIsn : kServerIsn) + p.ssn};
    header.ack = SeqNum{(p.flags & 0x10) == 0 ? 0 : (p.to_server ? kServerIsn : kClientIsn) + p.acks};
    header.flags = wire::TcpFlags{p.flags};
    header.window = p.window;
    header.options = options;
    std::vector<std::byte> bytes;
    wire::emit_tcp_packet(header, std::as_bytes(std::span(p.payload)), bytes);
    if (p.break_checksum) bytes[36] ^= std::byte{0x55};
    RawPacket raw;
    raw.bytes = bytes;
    raw.original_bytes = static_cast<std::uint32_t>(bytes.size());
    raw.time_ns = now += 1'000'000;
    raw.link = LinkType::kRaw;
    const Judgement judged = engine->judge(raw);
    std::ranges::fill(bytes, std::byte{0xa5});  // nothing refers to it
    if (judged.connection != 0) number = judged.connection;
    return judged;
  }

  void on_data(const ConnectionInfo&, const StreamChunk& chunk) override {
    auto& stream = scanned[index(chunk.direction)];
    for (const std::byte b : chunk.bytes) stream.push_back(static_cast<char>(b));
  }
  void on_gap(const ConnectionInfo&, Direction d, std::uint64_t, std::uint64_t bytes, TimeNs) override { gaps[index(d)] += bytes; }
  void on_alert(const AlertRecord& alert) override { alerts.push_back(alert); }
  void on_gone(std::uint64_t gone_number) override { gone.push_back(gone_number); }
  void on_anomaly(const AnomalyRecord& anomaly) override { events.push_back(anomaly.event); }
  bool told(std::string_view event) const { return std::ranges::find(events, event) != events.end(); }

  std::uint8_t version = 1;
  std::array<std::string, 2> scanned;
  std::array<std::uint64_t, 2> gaps{};
  std::vector<AlertRecord> alerts;
  std::vector<std::string> events;
  std::vector<std::uint64_t> gone;
  TimeNs now = 1'700'000'000'000'000'000;
  std::uint64_t number = 0;
  std::unique_ptr<Inspection> inspection;
  std::unique_ptr<Engine> engine;
};

}  // namespace weir::engine
