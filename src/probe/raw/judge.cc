#include "probe/raw/judge.h"

#include <variant>

#include "track/keys.h"
#include "wire/mptcp/parse.h"

namespace weir::probe::raw {
namespace {

namespace mptcp = wire::mptcp;

/// MP_CAPABLE in a SYN/ACK, against what we sent.
Outcome judge_capable(const mptcp::MpCapable& option, const Cookie& cookie, Question question) {
  const bool v1 = question == Question::kV1 || question == Question::kTraceCapable;
  // RFC 8684 section 3.1: a SYN/ACK carries the sender's key. Four octets are a SYN's, that is ours.
  if (v1 && option.version == 1 && !option.sender_key) return Outcome::kEcho;
  if (question == Question::kV0 && option.version == 0 && option.sender_key == cookie.key && !option.receiver_key) return Outcome::kEcho;
  const bool right = option.version == (v1 ? 1 : 0) && option.sender_key && !option.receiver_key && option.sender_key != cookie.key;
  if (!right || (!v1 && question != Question::kV0)) return Outcome::kOther;
  // B set: the option is to be ignored. Without H there is no algorithm that both know.
  return option.extensibility || !option.hmac_sha ? Outcome::kOther : Outcome::kCapable;
}

void judge_syn_ack(const wire::TcpSegment& segment, const Cookie& cookie, Answer& answer) {
  answer.kind = Kind::kSynAck;
  answer.outcome = Outcome::kPlain;
  answer.server.next_seq = segment.seq.value + 1;
  wire::OptionWalker walker(segment.options);
  while (const auto octets = walker.next(mptcp::kOptionKind)) {
    const auto option = mptcp::parse_option(*octets);
    Outcome found = Outcome::kOther;
    if (option) {
      if (const auto* capable = std::get_if<mptcp::MpCapable>(&*option)) {
        found = judge_capable(*capable, cookie, answer.question);
        if (found == Outcome::kCapable) {
          answer.server.key = *capable->sender_key;
          answer.server.checksum = capable->checksum_required;
          answer.no_join_here = capable->no_join_here;
        }
      } else if (const auto* join = std::get_if<mptcp::MpJoinSyn>(&*option); join != nullptr && answer.question == Question::kJoin) {
        const JoinNumbers sent = join_numbers(cookie);
        if (join->token == sent.token && join->nonce == sent.nonce) found = Outcome::kEcho;
      }
    }
    // Several options: an echo among them is enough to be a mirror; two that differ are none that a speaker sends.
    if (found == Outcome::kEcho || answer.outcome == Outcome::kPlain) {
      answer.outcome = found;
    } else if (answer.outcome != Outcome::kEcho) {
      answer.outcome = Outcome::kOther;
    }
  }
}

DataOutcome judge_data_ack(const wire::TcpSegment& segment, const Cookie& cookie, Question question, std::size_t data_bytes) {
  const bool acked = segment.ack == SeqNum{cookie.seq + 1 + static_cast<std::uint32_t>(data_bytes)};
  const std::uint64_t first = track::digest_key(cookie.key, question == Question::kV0 ? 0 : 1).idsn + 1;
  const std::uint64_t wanted = first + data_bytes;
  DataOutcome outcome = acked ? DataOutcome::kNoDataAck : DataOutcome::kSilent;
  wire::OptionWalker walker(segment.options);
  while (const auto octets = walker.next(mptcp::kOptionKind)) {
    const auto option = mptcp::parse_option(*octets);
    if (!option) continue;
    const auto* dss = std::get_if<mptcp::Dss>(&*option);
    if (dss == nullptr || !dss->data_ack) continue;
    const auto& ack = *dss->data_ack;
    const auto equals = [&](std::uint64_t number) { return ack.wide ? ack.value == number : ack.value == static_cast<std::uint32_t>(number); };
    if (equals(wanted)) return acked ? DataOutcome::kExact : DataOutcome::kWrong;
    // What a server says before it has our data.
    outcome = equals(first) && !acked ? DataOutcome::kSilent : DataOutcome::kWrong;
  }
  return outcome;
}

}  // namespace

Answer judge(const wire::TcpSegment& segment, const Target& target, const Secret& secret, std::size_t data_bytes) {
  Answer answer;
  if (!question_of(segment.dst_port, answer.question)) return answer;
  const Cookie cookie = cookie_of(secret, target, answer.question);
  if (segment.dst_port != cookie.port || !segment.flags.ack()) return answer;
  const SeqNum first{cookie.seq + 1};
  const bool to_syn = segment.ack == first;
  const bool to_data = segment.ack - first >= 0 && segment.ack - first <= static_cast<std::int32_t>(data_bytes);
  const bool carries_data = answer.question == Question::kV1 || answer.question == Question::kV0;
  if (!to_syn && !(carries_data && to_data)) return answer;
  if (segment.flags.rst()) {
    answer.kind = Kind::kReset;
  } else if (segment.flags.syn()) {
    if (to_syn) judge_syn_ack(segment, cookie, answer);
  } else if (carries_data) {
    answer.kind = Kind::kData;
    answer.data = judge_data_ack(segment, cookie, answer.question, data_bytes);
  }
  return answer;
}

}  // namespace weir::probe::raw
