// What comes back to the prober: answers to its SYNs, routers' quotes, neighbours; and the texts that it reads. Nothing may be believed that proves nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "probe/connect/kernel_counters.h"
#include "probe/output/summary.h"
#include "probe/raw/conversation.h"
#include "probe/raw/icmp_quote.h"
#include "probe/raw/judge.h"
#include "probe/raw/neighbours.h"
#include "probe/targets/run_state.h"
#include "probe/targets/target_text.h"
#include "probe/trace/compare.h"
#include "wire/decode.h"

namespace {

using namespace weir;
using namespace weir::probe;

constexpr raw::Secret kSecret{.low = 0x1234, .high = 0x5678};
constexpr std::size_t kDataBytes = 16;

void require(bool holds) {
  if (!holds) std::abort();
}

/// As far as the cookie goes the octets are made right, so that what lies behind it is reached.
void judge_repaired(wire::TcpSegment segment, const Target& target, std::uint8_t how) {
  const auto question = static_cast<raw::Question>(how % raw::kQuestions);
  const raw::Cookie cookie = raw::cookie_of(kSecret, target, question);
  segment.dst_port = cookie.port;
  segment.ack = SeqNum{cookie.seq + 1 + (how % 3 == 0 ? static_cast<std::uint32_t>(kDataBytes) : 0)};
  segment.flags.bits |= 0x10;
  const raw::Answer answer = raw::judge(segment, target, kSecret, kDataBytes);
  raw::Conversation conversation;
  conversation.step = static_cast<raw::Step>(how % 6);
  for (int i = 0; i < 3; ++i) {
    const raw::Move move = raw::on_answer(conversation, answer);
    require(conversation.tries >= 1 && conversation.tries <= raw::kMostTries);
    if (move.kind == raw::Move::Kind::kFinish) return;
    raw::on_timeout(conversation, raw::kMostTries);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto octets = std::as_bytes(std::span(data, size)).subspan(1);
  if (const auto quote = raw::read_icmp_quote(octets)) require(quote->tcp.size() >= 8);
  trace::compare_quote(octets);
  wire::Decoded decoded;
  wire::decode_ip(octets, static_cast<std::uint32_t>(octets.size()), 0, 0, decoded);
  if (decoded.kind == wire::Kind::kTcp) {
    const Target target{.address = decoded.src, .port = decoded.tcp.src_port};
    // 2^-32 a packet, by chance: what acknowledges nothing of ours is foreign.
    raw::judge(decoded.tcp, target, kSecret, kDataBytes);
    judge_repaired(decoded.tcp, target, data[0]);
  }
  raw::Neighbours neighbours({}, [](std::span<const std::byte>) {});
  neighbours.answer_for(decoded.dst);
  neighbours.find(decoded.src, decoded.dst, {}, 0);
  neighbours.receive(octets);

  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (const auto state = targets::parse_run_state(text)) require(targets::parse_run_state(targets::to_text(*state)) == *state);
  if (const auto target = targets::parse_target(text); target && target->prefix) require(targets::parse_prefix(to_string(*target->prefix)) == *target->prefix);
  targets::list_lines(text);
  connect::mptcp_counter(text, "MPCapableSYNTXDisabled");
  output::read_earlier(text);
  return 0;
}
