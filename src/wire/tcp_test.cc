#include "wire/tcp.h"

#include <gtest/gtest.h>

#include "wire/sample_packets.h"
#include "wire/tcp_parse.h"

namespace weir::wire {
namespace {

using sample::hex;
using sample::Octets;
using sample::operator+;

/// A header with these options, padded as they are, and three octets of payload.
Octets segment(const Octets& options, std::uint8_t flags = 0x10) {
  Octets out = hex("9c40 0050 000003e8 000007d0 0000 01f5 abcd 0000") + options + sample::text("abc");
  sample::set8(out, 12, (20 + options.size()) / 4 << 4U);
  sample::set8(out, 13, flags);
  return out;
}

TcpSegment parsed(const Octets& in) {
  TcpSegment out;
  out.mss = 1;  // left over from an earlier packet
  out.has_mptcp = out.has_timestamp = out.sack_permitted = out.options_broken = true;
  EXPECT_EQ(parse_tcp(in, static_cast<std::uint32_t>(in.size()), out), DecodeError::kNone);
  return out;
}

TEST(ParseTcp, EveryField) {
  const Octets in = segment({}, 0x19);
  const TcpSegment out = parsed(in);
  EXPECT_EQ(out.src_port, 40000);
  EXPECT_EQ(out.dst_port, 80);
  EXPECT_EQ(out.seq.value, 1000U);
  EXPECT_EQ(out.ack.value, 2000U);
  EXPECT_TRUE(out.flags.fin() && out.flags.psh() && out.flags.ack());
  EXPECT_FALSE(out.flags.syn() || out.flags.rst());
  EXPECT_EQ(out.window, 501);
  EXPECT_EQ(out.checksum, 0xabcd);
  EXPECT_EQ(out.header.size(), 20U);
  EXPECT_EQ(out.payload.size(), 3U);
  EXPECT_EQ(out.payload_bytes, 3U);
  EXPECT_FALSE(out.mss || out.has_mptcp || out.has_timestamp || out.sack_permitted || out.options_broken || out.window_scale);
}

TEST(ParseTcp, LinuxSynOptions) {
  const Octets in = segment(hex("020405b4 0402 080a 00000001 00000002 01 030307 1e04 0101"), 0x02);
  const TcpSegment out = parsed(in);
  EXPECT_EQ(out.mss, 1460);
  EXPECT_EQ(out.window_scale, 7);
  EXPECT_TRUE(out.sack_permitted);
  EXPECT_TRUE(out.has_timestamp);
  EXPECT_EQ(out.ts_value, 1U);
  EXPECT_EQ(out.ts_echo, 2U);
  EXPECT_TRUE(out.has_mptcp);
}

TEST(ParseTcp, AlignedTimestampAndTheSlowWayAgree) {
  for (const char* options : {"0101 080a 01020304 05060708", "080a 01020304 05060708 0101", "01 080a 01020304 05060708 00"}) {
    const Octets in = segment(hex(options));
    const TcpSegment out = parsed(in);
    EXPECT_TRUE(out.has_timestamp) << options;
    EXPECT_EQ(out.ts_value, 0x01020304U);
    EXPECT_EQ(out.ts_echo, 0x05060708U);
    EXPECT_FALSE(out.options_broken);
  }
}

TEST(ParseTcp, HandshakeOptionsCountOnSynsOnly) {
  const Octets in = segment(hex("020405b4 030307 0402 000000"), 0x10);
  const TcpSegment out = parsed(in);
  EXPECT_FALSE(out.mss || out.window_scale || out.sack_permitted);
}

TEST(ParseTcp, WindowScaleOver14Is14) {
  const Octets in = segment(hex("0303ff 00"), 0x02);
  EXPECT_EQ(parsed(in).window_scale, 14);
}

TEST(ParseTcp, OfARepeatedOptionTheLastCounts) {
  const Octets in = segment(hex("020405b4 02040200"), 0x02);
  EXPECT_EQ(parsed(in).mss, 512);
}

TEST(ParseTcp, MalformedHeaders) {
  struct Row {
    const char* what;
    std::size_t offset, octets;
    DecodeError error;
  };
  const Octets whole = segment(hex("01010101"));
  for (const Row& row : {
           Row{"nothing", 6, 0, DecodeError::kTcpTruncated},
           Row{"one octet short", 5, 19, DecodeError::kTcpTruncated},
           Row{"data offset beyond the segment", 15, 24, DecodeError::kTcpHeaderTooSmall},
           Row{"data offset of 4", 4, 24, DecodeError::kTcpInvalidOptionLength},
           Row{"data offset of 0", 0, 24, DecodeError::kTcpInvalidOptionLength},
       }) {
    Octets in = whole;
    sample::set8(in, 12, row.offset << 4U);
    in.resize(row.octets);
    TcpSegment out;
    EXPECT_EQ(parse_tcp(in, static_cast<std::uint32_t>(in.size()), out), row.error) << row.what;
  }
}

TEST(ParseTcp, BrokenOptions) {
  struct Row {
    const char* options;
    bool broken, mptcp, timestamp;
  };
  for (const Row& row : {
           Row{"00000000", false, false, false},
           Row{"00 1e0000", false, false, false},  // nothing counts after End of Option List
           Row{"05000000", true, false, false},    // length 0
           Row{"05010000", true, false, false},    // length 1
           Row{"05050000", true, false, false},    // past the space
           Row{"010101 05", true, false, false},   // kind without length
           Row{"1e050000", true, true, false},
           Row{"1e000000", true, true, false},
           Row{"010101 1e", true, true, false},
           Row{"fd04aaaa", false, false, false},
           Row{"fd04aaaa 1e041234", false, true, false},
           Row{"0809 01020304050607 fd04 aaaa 0000", false, false, false},  // a wrong length for the kind: ignored
           Row{"080a 0102030405060708 1e", true, true, true},
       }) {
    Octets options = hex(row.options);
    while (options.size() % 4 != 0) options.insert(options.begin(), std::byte{1});
    const Octets in = segment(options);
    const TcpSegment out = parsed(in);
    EXPECT_EQ(out.options_broken, row.broken) << row.options;
    EXPECT_EQ(out.has_mptcp, row.mptcp) << row.options;
    EXPECT_EQ(out.has_timestamp, row.timestamp) << row.options;
    EXPECT_EQ(out.payload.size(), 3U) << "broken options do not cost the payload";
  }
}

TEST(ParseTcp, CutBySnapLength) {
  const Octets whole = segment(hex("0101 080a 01020304 05060708 1e04 2000 1e03 40 01"));
  const auto wire = static_cast<std::uint32_t>(whole.size());
  for (std::size_t n = 0; n <= whole.size(); ++n) {
    const Octets cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
    TcpSegment out;
    const DecodeError error = parse_tcp(cut, wire, out);
    if (n < 20) {
      EXPECT_EQ(error, DecodeError::kTcpTruncated);
      continue;
    }
    ASSERT_EQ(error, DecodeError::kNone);
    EXPECT_FALSE(out.options_broken) << "a cut is no fault of the sender's: " << n;
    EXPECT_EQ(out.payload_bytes, 3U);
    EXPECT_EQ(out.has_timestamp, n >= 32);
    EXPECT_EQ(out.has_mptcp, n >= 36);
  }
}

TEST(OptionWalker, GivesEveryOptionOfAKind) {
  const Octets options = hex("01 1e03 40 fd03 00 1e04 2000 0101 1e0c 60");
  OptionWalker walk(options);
  ASSERT_EQ(walk.next(30)->size(), 3U);
  ASSERT_EQ(walk.next(30)->size(), 4U);
  const auto broken = walk.next(30);
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->size(), 3U) << "the last one runs past the space and is given as far as it goes";
  EXPECT_FALSE(walk.next(30));
  EXPECT_FALSE(walk.next(30));
}

TEST(OptionWalker, ABrokenOptionOfAnotherKindEndsTheWalk) {
  const Octets options = hex("05ff 1e04 2000");
  EXPECT_FALSE(OptionWalker(options).next(30));
  EXPECT_FALSE(OptionWalker(options).next(5));
  EXPECT_FALSE(OptionWalker(hex("")).next(30));
  EXPECT_FALSE(OptionWalker(hex("0000 1e04 2000")).next(30));
}

}  // namespace
}  // namespace weir::wire
