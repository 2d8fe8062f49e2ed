// Inline: connections that last long, and carry much: numbers of 32 bits come around.
#include "engine/conversation_test.h"

namespace weir::engine {
namespace {

class Long : public Conversation {
 protected:
  static constexpr std::uint64_t kLeap = 900ULL << 20U;

  /// Kind 8, as on the wire (RFC 7323 §3.2).
  static std::vector<std::uint8_t> times(std::uint32_t value, std::uint32_t echo) {
    std::vector<std::uint8_t> octets{8, 10};
    for (const std::uint32_t each : {value, echo}) {
      for (int shift = 24; shift >= 0; shift -= 8) octets.push_back(static_cast<std::uint8_t>(each >> shift));
    }
    return octets;
  }
  Dss as_wide(Dss dss) const {
    if (wide) return dss;
    if (dss.data_ack) {
      dss.data_ack->wide = false;
      dss.data_ack->value &= 0xffffffff;
    }
    if (dss.mapping) {
      dss.mapping->wide = false;
      dss.mapping->dsn &= 0xffffffff;
    }
    return dss;
  }
  std::string to_server(std::uint64_t offset, const std::string& text) {
    const auto ssn = static_cast<std::uint32_t>(offset + 1);
    return refusal({.ssn = ssn, .payload = text, .acks = 2, .options = {as_wide(mapped(true, offset, ssn, text.size(), 1))}});
  }
  std::string acknowledges(std::uint64_t offset) {
    return refusal({.to_server = false, .ssn = 2, .acks = static_cast<std::uint32_t>(offset + 1), .options = {as_wide(ack_of(true, offset))}});
  }
  /// The client sends, the server acknowledges; most of it goes by unseen, so that this is over soon.
  void carry_much() {
    std::uint64_t sent = 1;
    for (int leap = 0; leap < 6; ++leap) {
      sent += kLeap;
      ASSERT_EQ(acknowledges(sent), "none") << leap;
      ASSERT_EQ(to_server(sent, "seen"), "none") << leap;
      sent += 4;
      ASSERT_EQ(acknowledges(sent), "none") << leap;
      ASSERT_EQ(scanned[0], leap == 0 ? "cseen" : "seen") << leap;
      scanned[0].clear();
    }
    EXPECT_EQ(to_server(sent, "att"), "none");
    const auto acked = static_cast<std::uint32_t>(sent + 4);
    EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .payload = "idle till now", .acks = acked, .options = {as_wide(mapped(false, 1, 2, 13, sent + 3))}}),
              "none");
    EXPECT_EQ(scanned[1], "sidle till now");
    EXPECT_EQ(to_server(sent + 3, "ack"), "rule");
  }
  bool wide = true;
};

TEST_F(Long, ADirectionThatOnlyAcknowledgesGoesOnHoweverMuchTheOtherCarries) {
  start();
  establish();
  carry_much();
}

TEST_F(Long, HalvesOfDataSequenceNumbersComeAround) {
  start();
  establish();
  wide = false;
  carry_much();
}

TEST_F(Long, TimesComeAroundWhereThereAreProbesAlone) {
  constexpr std::uint32_t kDayTicks = 86'400'000;  // a millisecond each
  start();
  establish();
  std::uint32_t client = 4'000'000'000, server = 7;
  send({.ssn = 2, .acks = 2, .options = {ack_of(false, 1)}, .other_options = times(client, server)});
  send({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 1)}, .other_options = times(server, client)});
  for (int day = 0; day < 26; ++day) {
    now += 86'400'000'000'000;
    client += kDayTicks;
    server += kDayTicks;
    EXPECT_EQ(refusal({.ssn = 1, .acks = 2, .other_options = times(client, server)}), "none") << "a probe lies before what was acknowledged";
    EXPECT_EQ(refusal({.to_server = false, .ssn = 2, .acks = 2, .options = {ack_of(true, 1)}, .other_options = times(server, client)}), "none");
  }
  EXPECT_EQ(refusal({.ssn = 2, .payload = "att", .acks = 2, .options = {mapped(true, 1, 2, 3, 1)}, .other_options = times(client + 9, server)}), "none");
  EXPECT_EQ(refusal({.ssn = 5, .payload = "ack", .acks = 2, .options = {mapped(true, 4, 5, 3, 1)}, .other_options = times(client + 9, server)}), "rule");
}

TEST_F(Long, TimesInMicrosecondsComeAroundInLessThanAnHour) {
  start();
  establish();
  send({.ssn = 2, .acks = 2, .options = {ack_of(false, 1)}, .other_options = times(1'000, 5'000)});
  now += 2'400'000'000'000;
  const std::uint32_t later = 1'000 + 2'400'000'000U;
  EXPECT_EQ(refusal({.ssn = 2, .payload = "x", .acks = 2, .options = {mapped(true, 1, 2, 1, 1)}, .other_options = times(later, 5'000)}), "none");
}

TEST_F(Long, SeenFromItsMiddleASubflowsNumbersMayComeAroundBeforeTheyArePlaced) {
  start();
  const Dss mapping = mapped(true, 1'000, 0xffff'fff0, 16);
  send({.ssn = 0xffff'fff0, .payload = "12345678", .options = {mapping}});
  send({.ssn = 0xffff'fff8, .payload = "9abcdefg", .options = {mapping}});
  send({.ssn = 0, .payload = "next", .options = {mapped(true, 1'016, 0, 4)}});
  EXPECT_EQ(scanned[0], "123456789abcdefgnext");
}

}  // namespace
}  // namespace weir::engine
