#include <gtest/gtest.h>

#include <cerrno>

#include "probe/connect/details.h"
#include "probe/connect/kernel_counters.h"

namespace weir::probe::connect {
namespace {

TEST(ConnectDetails, AFallbackAfterALostSynIsNoTcpOnly) {
  Details details{.connected = true, .fallback = true, .why = {}};
  EXPECT_EQ(judge(details), Verdict::kTcpOnly);
  details.retransmits = 1;
  EXPECT_EQ(judge(details), Verdict::kInconclusive);
  EXPECT_EQ(details.why, "syn_lost");
}

TEST(ConnectDetails, WhatTheKernelRefused) {
  Details details{.why = {}, .error = ECONNREFUSED};
  EXPECT_EQ(judge(details), Verdict::kClosed);
  details.error = ETIMEDOUT;
  EXPECT_EQ(judge(details), Verdict::kTimeout);
  details.error = EACCES;
  EXPECT_EQ(judge(details), Verdict::kInconclusive);
  EXPECT_EQ(details.why, "error");
  for (const int error : {EHOSTUNREACH, ENETUNREACH}) {
    details = {.why = {}, .error = error};
    EXPECT_EQ(judge(details), Verdict::kInconclusive);
    EXPECT_EQ(details.why, "no_route");
  }
}

TEST(KernelCounters, TheValueUnderTheName) {
  const char* const text = "TcpExt: A B\nTcpExt: 1 2\nMPTcpExt: MPCapableSYNRX MPCapableSYNTXDisabled Last\nMPTcpExt: 11 12 13\n";
  EXPECT_EQ(mptcp_counter(text, "MPCapableSYNTXDisabled"), 12U);
  EXPECT_EQ(mptcp_counter(text, "Last"), 13U);
  EXPECT_EQ(mptcp_counter(text, "A"), std::nullopt);
  for (const char* broken : {"", "MPTcpExt: A", "MPTcpExt: A\nMPTcpExt:", "MPTcpExt: A\nMPTcpExt: x\n", "MPTcpExt: A\nTcpExt: 1\n"})
    EXPECT_EQ(mptcp_counter(broken, "A"), std::nullopt) << broken;
}

}  // namespace
}  // namespace weir::probe::connect
