#include "reassemble/data_receiver.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::reassemble {
namespace {

class Data : public ::testing::Test {
 protected:
  Data() { rx.set_origin(0); }
  void begin() {
    rx.start(DataReceiver::kFirst, limits, out);
    take();
  }
  void bytes(std::uint64_t offset, const std::string& text, std::uint32_t subflow = 0, bool doubtful = false) {
    Arrival in;
    in.position = DataReceiver::kFirst + offset;
    in.bytes = std::as_bytes(std::span(text));
    in.size = static_cast<std::uint32_t>(text.size());
    in.subflow = subflow;
    in.doubtful = doubtful;
    out.clear();
    rx.arrive(in, limits, out);
    take();
  }
  void acknowledge(std::uint64_t offset, TimeNs now = 0) {
    out.clear();
    rx.acknowledged(DataReceiver::kFirst + offset, now, limits, out);
    take();
  }
  void take() {
    for (const Delivered& d : out.delivered) {
      if (d.gap) {
        stream += std::string(d.size, '.');
      } else {
        for (const std::byte b : d.bytes) stream += static_cast<char>(b);
      }
    }
  }
  Limits limits;
  DataOutput out;
  DataReceiver rx;
  std::string stream;
};

TEST_F(Data, OrderIsThatOfTheDsns) {
  begin();
  bytes(3, "def", 1);
  bytes(0, "abc", 0);
  EXPECT_EQ(stream, "abcdef");
}

TEST_F(Data, NothingIsToldBehindTheEnd) {
  begin();
  bytes(0, "ab");
  bytes(8, "ij");
  rx.fin(DataReceiver::kFirst + 5);
  acknowledge(20);
  out.clear();
  rx.finish(0, limits, out);
  take();
  EXPECT_EQ(stream, "ab...") << "a gap up to the DATA_FIN, and no further";
  EXPECT_TRUE(rx.fin_reached());
  EXPECT_EQ(rx.gap_bytes(), 3U);
}

TEST_F(Data, WhatEndedBeforeItBeganGivesNothing) {
  bytes(0, "ab");
  bytes(8, "ij");
  rx.end_at(DataReceiver::kFirst);
  begin();
  acknowledge(20);
  out.clear();
  rx.finish(0, limits, out);
  take();
  EXPECT_EQ(stream, "");
  EXPECT_EQ(rx.gap_bytes(), 0U);
}

TEST_F(Data, WhatTheCaptureCutEndsAtTheEnd) {
  begin();
  Arrival in;
  in.position = DataReceiver::kFirst + 2;
  in.size = 100;  // none of them captured
  rx.arrive(in, limits, out);
  rx.fin(DataReceiver::kFirst + 5);
  bytes(0, "ab");
  EXPECT_EQ(stream, "ab...");
  EXPECT_TRUE(rx.fin_reached());
}

TEST_F(Data, WhatWasTakenInOrderStays) {
  begin();
  bytes(0, "abc", 0);
  bytes(0, "XYZ", 1);
  EXPECT_TRUE(out.conflict);
  EXPECT_EQ(stream, "abc");
  EXPECT_EQ(rx.duplicate_bytes(), 3U);
}

TEST_F(Data, AfterTheDataAckNothingIsCompared) {
  begin();
  bytes(0, "abc", 0);
  acknowledge(3);
  bytes(0, "XYZ", 1);
  EXPECT_FALSE(out.conflict);
}

TEST_F(Data, AnAcknowledgedHoleIsAGapAfterTheWait) {
  begin();
  bytes(0, "ab");
  bytes(4, "ef");
  acknowledge(6, 100);
  out.clear();
  EXPECT_FALSE(rx.skip_gap(199, 100, false, limits, out));
  EXPECT_TRUE(rx.skip_gap(200, 100, false, limits, out));
  take();
  EXPECT_EQ(stream, "ab..ef");
  EXPECT_EQ(rx.bytes(), 2U);
  EXPECT_EQ(rx.gap_bytes(), 2U);
  EXPECT_EQ(rx.seen_bytes(), 4U);
}

TEST_F(Data, TheTailThatWasAcknowledgedAndNeverSeenIsCounted) {
  begin();
  bytes(0, "ab");
  rx.fin(DataReceiver::kFirst + 10);
  acknowledge(11);
  out.clear();
  rx.finish(0, limits, out);
  EXPECT_EQ(rx.gap_bytes(), 8U);
  EXPECT_EQ(rx.bytes(), 2U);
}

TEST_F(Data, NothingFollowsTheDataFin) {
  begin();
  rx.fin(DataReceiver::kFirst + 3);
  bytes(0, "abcdef");
  EXPECT_EQ(stream, "abc");
  EXPECT_TRUE(rx.fin_reached());
}

TEST_F(Data, BeyondTheWindowIsUsedOnlyIfAcknowledgedAndReportedIfContradicted) {
  begin();
  bytes(3, "XYZ", 1, true);
  bytes(0, "abc", 0);
  EXPECT_EQ(stream, "abc");
  bytes(3, "def", 0);
  EXPECT_EQ(stream, "abcdef");
  EXPECT_TRUE(out.out_of_window);
  EXPECT_FALSE(out.conflict);
}

TEST_F(Data, MidstreamBeginsAfterWhatWasUnderWay) {
  bytes(10, "kl");
  bytes(14, "op");
  acknowledge(16);
  bytes(16, "qr");
  EXPECT_EQ(rx.midstream_start(), DataReceiver::kFirst + 14);
}

TEST_F(Data, MidstreamKeepsLaterGaps) {
  bytes(10, "kl");
  acknowledge(12);
  bytes(14, "op");
  acknowledge(16);
  EXPECT_EQ(rx.midstream_start(), DataReceiver::kFirst + 10);
}

}  // namespace
}  // namespace weir::reassemble
