#include "wire/mptcp/parse.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/bytes.h"
#include "wire/sample_packets.h"

namespace weir::wire::mptcp {
namespace {

using sample::hex;
using sample::Octets;
using sample::operator+;

Octets emitted(const Option& option) {
  Octets out(40);
  out.resize(emit_option(option, out));
  return out;
}

struct Legal {
  const char* what;
  const char* octets;
};

// One row a form of WIRE's table, reserved bits 0 and flags varied.
constexpr Legal kLegalForms[] = {
    {"MP_CAPABLE v1 SYN", "1e04 01 81"},
    {"MP_CAPABLE v1 SYN, B, C and D set", "1e04 01 71"},
    {"MP_CAPABLE v1 SYN/ACK", "1e0c 01 01 0102030405060708"},
    {"MP_CAPABLE v1 third ACK", "1e14 01 01 0102030405060708 a1b2c3d4e5f60718"},
    {"MP_CAPABLE v1 first data", "1e16 01 01 0102030405060708 a1b2c3d4e5f60718 0064"},
    {"MP_CAPABLE v1 first data, checksum", "1e18 01 81 0102030405060708 a1b2c3d4e5f60718 0064 beef"},
    {"MP_CAPABLE v2, laid out like v1", "1e04 02 01"},
    {"MP_CAPABLE v0 SYN", "1e0c 00 81 0102030405060708"},
    {"MP_CAPABLE v0 with a flag that is C in v1", "1e0c 00 21 0102030405060708"},
    {"MP_CAPABLE v0 third ACK", "1e14 00 01 0102030405060708 a1b2c3d4e5f60718"},
    {"MP_JOIN SYN", "1e0c 11 05 66840dda 11223344"},
    {"MP_JOIN SYN/ACK", "1e10 10 05 2d275b444c0d23f1 55667788"},
    {"MP_JOIN third ACK", "1e18 10 00 56b9ee0feceeab4f0da46f2170540e0942b55765"},
    {"ADD_ADDR v1", "1e10 30 02 c0000207 8936a068bc687219"},
    {"ADD_ADDR v1, port", "1e12 30 02 c0000207 01bb e7e387c1cfb8d490"},
    {"ADD_ADDR v1 IPv6", "1e1c 30 02 20010db8000000000000000000000007 0102030405060708"},
    {"ADD_ADDR v1 IPv6, port", "1e1e 30 02 20010db8000000000000000000000007 01bb 0102030405060708"},
    {"ADD_ADDR v1 echo", "1e08 31 02 c0000207"},
    {"ADD_ADDR v1 echo, port", "1e0a 31 02 c0000207 01bb"},
    {"ADD_ADDR v1 echo IPv6", "1e14 31 02 20010db8000000000000000000000007"},
    {"ADD_ADDR v1 echo IPv6, port", "1e16 31 02 20010db8000000000000000000000007 01bb"},
    {"ADD_ADDR v0", "1e08 34 02 c0000207"},
    {"ADD_ADDR v0, port", "1e0a 34 02 c0000207 01bb"},
    {"ADD_ADDR v0 IPv6", "1e14 36 02 20010db8000000000000000000000007"},
    {"ADD_ADDR v0 IPv6, port", "1e16 36 02 20010db8000000000000000000000007 01bb"},
    {"REMOVE_ADDR", "1e04 40 07"},
    {"REMOVE_ADDR of four", "1e07 40 01 02 03 ff"},
    {"MP_PRIO", "1e03 50"},
    {"MP_PRIO backup", "1e03 51"},
    {"MP_PRIO v0 with an address ID", "1e04 51 09"},
    {"MP_FAIL", "1e0c 60 00 0123456789abcdef"},
    {"MP_FASTCLOSE", "1e0c 70 00 a1b2c3d4e5f60718"},
    {"MP_TCPRST", "1e04 81 06"},
    {"subtype 9", "1e05 9a 0102"},
    {"subtype 14", "1e03 e0"},
    {"experimental", "1e06 f0 010203"},
};

TEST(ParseOption, EveryLegalFormComesBackAsItWas) {
  for (const Legal& row : kLegalForms) {
    const Octets in = hex(row.octets);
    const auto option = parse_option(in);
    ASSERT_TRUE(option) << row.what;
    EXPECT_EQ(emitted(*option), in) << row.what;
    EXPECT_TRUE(parse_option(in + hex("01 02 03"))) << row.what << ": what follows the option is none of it";
  }
}

TEST(ParseOption, CutShortAnywhereIsTruncated) {
  for (const Legal& row : kLegalForms) {
    const Octets in = hex(row.octets);
    for (std::size_t n = 0; n < in.size(); ++n) {
      const Octets cut(in.begin(), in.begin() + static_cast<std::ptrdiff_t>(n));
      const auto option = parse_option(cut);
      ASSERT_FALSE(option) << row.what << ", " << n;
      EXPECT_EQ(option.error(), OptionError::kTruncated) << row.what << ", " << n;
    }
  }
}

TEST(ParseOption, OnlyTheTablesLengthsAreLegal) {
  struct Row {
    const char* what;
    std::uint8_t third, fourth;
    std::vector<std::size_t> legal;
  };
  for (const Row& row : {
           Row{"MP_CAPABLE v0", 0x00, 0x01, {12, 20}},
           Row{"MP_CAPABLE v1", 0x01, 0x01, {4, 12, 20, 22, 24}},
           Row{"MP_CAPABLE v15", 0x0f, 0x01, {4, 12, 20, 22, 24}},
           Row{"MP_JOIN", 0x10, 0x01, {12, 16, 24}},
           Row{"DSS without anything", 0x20, 0x00, {4}},
           Row{"DSS with everything", 0x20, 0x1f, {26, 28}},
           Row{"ADD_ADDR E=0", 0x30, 0x01, {16, 18, 28, 30}},
           Row{"ADD_ADDR E=1", 0x31, 0x01, {8, 10, 20, 22}},
           Row{"ADD_ADDR IP version 4", 0x34, 0x01, {8, 10, 16, 18, 28, 30}},
           Row{"ADD_ADDR IP version 6", 0x36, 0x01, {16, 18, 20, 22, 28, 30}},
           Row{"MP_PRIO", 0x50, 0x01, {3, 4}},
           Row{"MP_FAIL", 0x60, 0x01, {12}},
           Row{"MP_FASTCLOSE", 0x70, 0x01, {12}},
           Row{"MP_TCPRST", 0x80, 0x01, {4}},
       }) {
    for (std::size_t length = 3; length <= 40; ++length) {
      Octets in(length, std::byte{0x5a});
      sample::set8(in, 0, 30);
      sample::set8(in, 1, length);
      sample::set8(in, 2, row.third);
      if (length > 3) sample::set8(in, 3, row.fourth);
      EXPECT_EQ(parse_option(in).has_value(), std::ranges::count(row.legal, length) != 0) << row.what << ", length " << length;
    }
  }
  EXPECT_EQ(parse_option(hex("1e03 40")).error(), OptionError::kBadLength) << "REMOVE_ADDR of nothing";
}

TEST(ParseOption, Malformed) {
  struct Row {
    const char* octets;
    OptionError error;
  };
  for (const Row& row : {
           Row{"", OptionError::kTruncated},
           Row{"1e", OptionError::kTruncated},
           Row{"1e00", OptionError::kTruncated},
           Row{"1e01 20", OptionError::kTruncated},
           Row{"1e02 2000", OptionError::kTruncated},
           Row{"1eff 20 00", OptionError::kTruncated},
           Row{"1e08 30 02 c0000207", OptionError::kBadIpVersion},
           Row{"1e08 32 02 c0000207", OptionError::kBadIpVersion},
           Row{"1e08 36 02 c0000207", OptionError::kBadIpVersion},
           Row{"1e14 34 02 20010db8000000000000000000000007", OptionError::kBadIpVersion},
           Row{"1e14 36 02 00000000000000000000ffffc0000207", OptionError::kBadIpVersion},
           Row{"1e10 31 02 c0000207 8936a068bc687219", OptionError::kBadLength},
           Row{"1e05 20 01 00", OptionError::kBadLength},
           Row{"1e06 20 00 beef", OptionError::kBadLength},  // a checksum without a mapping
           Row{"1e0a 20 01 00000001 beef", OptionError::kBadLength},
       }) {
    const auto option = parse_option(hex(row.octets));
    ASSERT_FALSE(option) << row.octets;
    EXPECT_EQ(option.error(), row.error) << row.octets;
  }
}

TEST(ParseOption, ReservedBitsAreIgnored) {
  EXPECT_TRUE(std::get<AddAddr>(*parse_option(hex("1e08 35 02 c0000207"))).echo) << "E set makes it an echo, whatever else is";
  EXPECT_EQ(std::get<AddAddr>(*parse_option(hex("1e10 34 02 c0000207 8936a068bc687219"))).version, 1) << "the length says v1";
  EXPECT_TRUE(parse_option(hex("1e04 2f e0")));
  EXPECT_TRUE(parse_option(hex("1e0c 6f ff 0123456789abcdef")));
}

TEST(ParseOption, ValuesStandWhereTheRfcPutsThem) {
  const auto capable = std::get<MpCapable>(*parse_option(hex("1e18 01 f1 0102030405060708 a1b2c3d4e5f60718 0064 beef")));
  EXPECT_EQ(capable.version, 1);
  EXPECT_TRUE(capable.checksum_required && capable.extensibility && capable.no_join_here && capable.hmac_sha);
  EXPECT_EQ(capable.other_flags, 0x10);
  EXPECT_EQ(capable.sender_key, 0x0102030405060708U);
  EXPECT_EQ(capable.receiver_key, 0xa1b2c3d4e5f60718U);
  EXPECT_EQ(capable.data_level_length, 100);
  EXPECT_EQ(capable.checksum, 0xbeef);

  const auto v0 = std::get<MpCapable>(*parse_option(hex("1e0c 00 21 0102030405060708")));
  EXPECT_FALSE(v0.no_join_here);
  EXPECT_EQ(v0.other_flags, 0x20);

  const auto syn = std::get<MpJoinSyn>(*parse_option(hex("1e0c 11 05 66840dda 11223344")));
  EXPECT_TRUE(syn.backup);
  EXPECT_EQ(syn.address_id, 5);
  EXPECT_EQ(syn.token, 0x66840ddaU);
  EXPECT_EQ(syn.nonce, 0x11223344U);

  const auto syn_ack = std::get<MpJoinSynAck>(*parse_option(hex("1e10 10 06 2d275b444c0d23f1 55667788")));
  EXPECT_FALSE(syn_ack.backup);
  EXPECT_EQ(syn_ack.hmac, 0x2d275b444c0d23f1U);
  EXPECT_EQ(syn_ack.nonce, 0x55667788U);

  const auto ack = std::get<MpJoinAck>(*parse_option(hex("1e18 10 00 56b9ee0feceeab4f0da46f2170540e0942b55765")));
  EXPECT_EQ(ack.hmac.front(), std::byte{0x56});
  EXPECT_EQ(ack.hmac.back(), std::byte{0x65});

  const auto add = std::get<AddAddr>(*parse_option(hex("1e12 30 02 c0000207 01bb e7e387c1cfb8d490")));
  EXPECT_EQ(add.version, 1);
  EXPECT_FALSE(add.echo);
  EXPECT_EQ(add.address_id, 2);
  EXPECT_EQ(to_string(add.address), "192.0.2.7");
  EXPECT_EQ(add.port, 443);
  EXPECT_EQ(add.hmac, 0xe7e387c1cfb8d490U);
  EXPECT_EQ(std::get<AddAddr>(*parse_option(hex("1e08 34 02 c0000207"))).version, 0);
  EXPECT_TRUE(std::get<AddAddr>(*parse_option(hex("1e08 31 02 c0000207"))).echo);

  EXPECT_EQ(std::get<RemoveAddr>(*parse_option(hex("1e05 40 0709"))).address_ids.size(), 2U);
  EXPECT_EQ(std::get<MpPrio>(*parse_option(hex("1e04 51 09"))), (MpPrio{.backup = true, .address_id = 9}));
  EXPECT_EQ(std::get<MpFail>(*parse_option(hex("1e0c 60 00 0123456789abcdef"))).dsn, 0x0123456789abcdefU);
  EXPECT_EQ(std::get<MpFastclose>(*parse_option(hex("1e0c 7f ff a1b2c3d4e5f60718"))).receiver_key, 0xa1b2c3d4e5f60718U);
  EXPECT_EQ(std::get<MpTcprst>(*parse_option(hex("1e04 89 03"))), (MpTcprst{.flags = 9, .reason = 3}));
  EXPECT_EQ(std::get<Unknown>(*parse_option(hex("1e06 f0 010203"))).subtype, 15);
}

TEST(Dss, EveryFlagCombinationWithAndWithoutChecksum) {
  for (unsigned flags = 0; flags < 256; ++flags)
    for (const bool checksum : {false, true}) {
      const bool ack = flags & 1U;
      const bool ack8 = flags & 2U;
      const bool mapping = flags & 4U;
      const bool dsn8 = flags & 8U;
      Octets body;
      if (ack) body = body + (ack8 ? hex("1112131415161718") : hex("15161718"));
      if (mapping) body = body + (dsn8 ? hex("2122232425262728") : hex("25262728")) + hex("31323334 4142");
      if (mapping && checksum) body = body + hex("5152");
      const Octets in = hex("1e") + sample::number(4 + body.size(), 1) + hex("20") + sample::number(flags, 1) + body;
      const auto option = parse_option(in);
      ASSERT_TRUE(option) << flags;
      const auto& dss = std::get<Dss>(*option);
      EXPECT_EQ(dss.data_fin, (flags & 0x10U) != 0);
      ASSERT_EQ(dss.data_ack.has_value(), ack);
      if (ack) {
        EXPECT_EQ(*dss.data_ack, (Dss::DataAck{.value = ack8 ? 0x1112131415161718U : 0x15161718U, .wide = ack8}));
      }
      ASSERT_EQ(dss.mapping.has_value(), mapping);
      if (mapping) {
        EXPECT_EQ(dss.mapping->dsn, dsn8 ? 0x2122232425262728U : 0x25262728U);
        EXPECT_EQ(dss.mapping->wide, dsn8);
        EXPECT_EQ(dss.mapping->ssn, 0x31323334U);
        EXPECT_EQ(dss.mapping->length, 0x4142);
        EXPECT_EQ(dss.mapping->checksum, checksum ? std::optional<std::uint16_t>(0x5152) : std::nullopt);
      }
      const auto again = parse_option(emitted(*option));
      ASSERT_TRUE(again);
      EXPECT_EQ(std::get<Dss>(*again), dss);

      // Any other length contradicts the flags.
      for (std::size_t length = 4; length <= 40; ++length) {
        if (length == in.size() || (mapping && length == in.size() + (checksum ? std::size_t{0} : 2)) || (mapping && checksum && length == in.size() - 2))
          continue;
        Octets wrong = in;
        wrong.resize(length);
        sample::set8(wrong, 1, length);
        ASSERT_EQ(parse_option(wrong).has_value() ? OptionError::kTruncated : parse_option(wrong).error(), OptionError::kBadLength) << flags << ", " << length;
      }
    }
}

TEST(CheckLegal, VersionsAndCarriers) {
  struct Row {
    const char* octets;
    std::optional<std::uint8_t> version;
    Carrier carrier;
    std::optional<OptionError> error;
  };
  constexpr auto kSyn = Carrier::kSyn;
  constexpr auto kSynAck = Carrier::kSynAck;
  constexpr auto kOther = Carrier::kOther;
  constexpr auto kBadLength = OptionError::kBadLength;
  constexpr auto kBadSubtype = OptionError::kBadSubtype;
  for (const Row& row : {
           Row{"1e04 01 01", 1, kSyn, {}},
           Row{"1e04 01 01", {}, kSyn, {}},
           Row{"1e04 01 01", 1, kSynAck, kBadLength},
           Row{"1e04 01 01", 1, kOther, kBadLength},
           Row{"1e0c 01 01 0102030405060708", 1, kSyn, kBadLength},
           Row{"1e0c 01 01 0102030405060708", 1, kSynAck, {}},
           Row{"1e0c 01 01 0102030405060708", 1, kOther, kBadLength},
           Row{"1e14 01 01 0102030405060708 0102030405060708", 1, kOther, {}},
           Row{"1e16 01 01 0102030405060708 0102030405060708 0001", 1, kOther, {}},
           Row{"1e16 01 01 0102030405060708 0102030405060708 0001", 1, kSyn, kBadLength},
           Row{"1e0c 00 01 0102030405060708", 0, kSyn, {}},
           Row{"1e0c 00 01 0102030405060708", 1, kSynAck, {}},  // the answer to a v1 SYN may be v0
           Row{"1e0c 00 01 0102030405060708", 0, kOther, kBadLength},
           Row{"1e14 00 01 0102030405060708 0102030405060708", 0, kOther, {}},
           Row{"1e0c 10 05 66840dda 11223344", 1, kSyn, {}},
           Row{"1e0c 10 05 66840dda 11223344", 1, kOther, kBadLength},
           Row{"1e10 10 05 2d275b444c0d23f1 55667788", 0, kSynAck, {}},
           Row{"1e10 10 05 2d275b444c0d23f1 55667788", 0, kSyn, kBadLength},
           Row{"1e18 10 00 56b9ee0feceeab4f0da46f2170540e0942b55765", 1, kOther, {}},
           Row{"1e18 10 00 56b9ee0feceeab4f0da46f2170540e0942b55765", 1, kSynAck, kBadLength},
           Row{"1e10 30 02 c0000207 8936a068bc687219", 1, kOther, {}},
           Row{"1e10 30 02 c0000207 8936a068bc687219", 0, kOther, kBadLength},
           Row{"1e10 30 02 c0000207 8936a068bc687219", {}, kOther, {}},
           Row{"1e08 34 02 c0000207", 0, kOther, {}},
           Row{"1e08 34 02 c0000207", 1, kOther, kBadLength},
           Row{"1e08 31 02 c0000207", 1, kOther, {}},
           Row{"1e08 31 02 c0000207", 0, kOther, kBadLength},
           Row{"1e03 50", 1, kOther, {}},
           Row{"1e04 51 09", 1, kOther, kBadLength},
           Row{"1e04 51 09", 0, kOther, {}},
           Row{"1e04 51 09", {}, kOther, {}},
           Row{"1e04 81 06", 1, kOther, {}},
           Row{"1e04 81 06", {}, kOther, {}},
           Row{"1e04 81 06", 0, kOther, kBadSubtype},
           Row{"1e03 90", {}, kOther, kBadSubtype},
           Row{"1e03 e0", 1, kOther, kBadSubtype},
           Row{"1e03 f0", 0, kOther, {}},
           Row{"1e03 f0", 1, kSyn, {}},
           Row{"1e04 20 00", 1, kOther, {}},
       }) {
    const Octets in = hex(row.octets);
    const auto option = parse_option(in);
    ASSERT_TRUE(option) << row.octets;
    EXPECT_EQ(check_legal(*option, in, row.version, row.carrier), row.error) << row.octets;
  }
}

TEST(EmitOption, WritesWholeOrNothing) {
  for (const Legal& row : kLegalForms) {
    const Octets in = hex(row.octets);
    const auto option = parse_option(in);
    ASSERT_TRUE(option);
    for (std::size_t space = 0; space < in.size(); ++space) {
      Octets out(space);
      EXPECT_EQ(emit_option(*option, out), 0U) << row.what << " in " << space;
    }
  }
  const Octets ids(38, std::byte{1});
  Octets out(100);
  EXPECT_EQ(emit_option(RemoveAddr{.address_ids = ids}, out), 0U) << "41 octets do not fit into the option space";
}

}  // namespace
}  // namespace weir::wire::mptcp
