#include "probe/targets/learnt_names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::probe::targets {
namespace {

using ::testing::ElementsAre;

TEST(LearntNames, EachNameOnceOutOfWholeLines) {
  LearntNames learnt;
  const std::string_view lines =
      "{\"event_type\":\"dns\",\"dns\":{\"rrname\":\"A.Example.\",\"rrtype\":\"A\"}}\n"
      "{\"event_type\":\"dns\",\"dns\":{\"rrname\":\"mail.example\",\"rrtype\":\"MX\"}}\n"
      "{\"event_type\":\"tls\",\"tls\":{\"sni\":\"b.example\"}}\nno JSON\n[]\n{\"dns\":5,\"tls\":{\"sni\":7}}\n"
      "{\"event_type\":\"http\",\"http\":{\"hostname\":\"192.0.2.1\"}}\n"
      "{\"event_type\":\"mptcp\",\"mptcp\":{\"names\":[{\"name\":\"c.example\",\"source\":\"dns\"},{\"name\":\"a.example\"},3]}}\n";
  const std::string open = std::string(lines) + "{\"tls\":{\"sni\":\"d.exam";
  EXPECT_EQ(learnt.take(open), lines.size());
  EXPECT_THAT(learnt.names(), ElementsAre("a.example", "b.example", "c.example"));
}

}  // namespace
}  // namespace weir::probe::targets
