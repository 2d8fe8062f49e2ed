#include "probe/raw/conversation.h"

namespace weir::probe::raw {
namespace {

Move finish(Verdict verdict, bool reset = false) { return {.kind = Move::Kind::kFinish, .verdict = verdict, .reset = reset}; }

Move go_to(Conversation& c, Step step, bool reset = false) {
  c.step = step;
  c.tries = 1;
  return {.kind = Move::Kind::kSend, .reset = reset};
}

/// The handshake gave a key and the data did not earn its DATA_ACK: another question tells a speaker from a mirror.
Move ask_join(Conversation& c) {
  const Question begun = question_for(c.step);
  Move move = go_to(c, Step::kJoin);
  move.close = true;
  move.closes = begun;
  return move;
}

Move on_syn_ack_v1(Conversation& c, const Answer& answer) {
  c.evidence.syn_v1 = answer.outcome;
  if (answer.outcome == Outcome::kEcho) return finish(Verdict::kMirror, true);
  if (answer.outcome != Outcome::kCapable) return go_to(c, Step::kSynV0, true);
  c.server = answer.server;
  c.evidence.checksum = answer.server.checksum;
  c.evidence.no_join_here = answer.no_join_here;
  return go_to(c, Step::kDataV1);
}

Move on_syn_ack_v0(Conversation& c, const Answer& answer) {
  c.evidence.syn_v0 = answer.outcome;
  switch (answer.outcome) {
    case Outcome::kEcho:
      return finish(Verdict::kMirror, true);
    case Outcome::kCapable:
      c.server = answer.server;
      c.evidence.checksum = answer.server.checksum;
      return go_to(c, Step::kDataV0);
    case Outcome::kPlain:
      return finish(c.evidence.syn_v1 == Outcome::kPlain ? Verdict::kTcpOnly : Verdict::kInconclusive, true);
    default:
      return finish(Verdict::kInconclusive, true);
  }
}

Move on_data(Conversation& c, DataOutcome outcome, DataOutcome& noted, Verdict speaker) {
  if (outcome == DataOutcome::kSilent) return {};
  // The worst that was seen stays, until the right one is.
  if (outcome == DataOutcome::kExact || noted != DataOutcome::kWrong) noted = outcome;
  if (outcome != DataOutcome::kExact) return {};
  Move move = finish(speaker);
  move.close = true;
  move.closes = question_for(c.step);
  return move;
}

/// A JOIN that names no connection: a speaker answers RST (RFC 8684 section 3.2), one that knows no MPTCP with a plain SYN/ACK.
Move on_join(Conversation& c, const Answer& answer) {
  c.evidence.join = answer.kind == Kind::kReset ? Outcome::kReset : answer.outcome;
  if (answer.kind == Kind::kSynAck) return finish(answer.outcome == Outcome::kEcho ? Verdict::kMirror : Verdict::kInconclusive, true);
  const bool v0 = c.evidence.data_v0 != DataOutcome::kNotSent;
  // A wrong DATA_ACK speaks against it.
  if ((v0 ? c.evidence.data_v0 : c.evidence.data_v1) == DataOutcome::kWrong) return finish(Verdict::kInconclusive);
  return finish(v0 ? Verdict::kV0 : Verdict::kV1);
}

Move on_plain(Conversation& c, const Answer& answer) {
  c.evidence.syn_plain = answer.kind == Kind::kReset ? Outcome::kReset : answer.outcome;
  if (answer.kind == Kind::kReset) return finish(Verdict::kClosed);
  // An option that nobody asked for: the answer of something that understands nothing.
  return finish(Verdict::kInconclusive, true);
}

Move on_reset(Conversation& c) {
  switch (c.step) {
    case Step::kSynV1:
      c.evidence.syn_v1 = Outcome::kReset;
      return go_to(c, Step::kPlain);
    case Step::kSynV0:
      c.evidence.syn_v0 = Outcome::kReset;
      return finish(c.evidence.syn_v1 == Outcome::kPlain ? Verdict::kTcpOnly : Verdict::kInconclusive);
    case Step::kDataV1:
      if (c.evidence.data_v1 != DataOutcome::kWrong) c.evidence.data_v1 = DataOutcome::kReset;
      return go_to(c, Step::kJoin);
    case Step::kDataV0:
      if (c.evidence.data_v0 != DataOutcome::kWrong) c.evidence.data_v0 = DataOutcome::kReset;
      return go_to(c, Step::kJoin);
    default:
      return {};
  }
}

}  // namespace

Question question_for(Step step) {
  switch (step) {
    case Step::kSynV1:
    case Step::kDataV1:
      return Question::kV1;
    case Step::kSynV0:
    case Step::kDataV0:
      return Question::kV0;
    case Step::kJoin:
      return Question::kJoin;
    case Step::kPlain:
      return Question::kPlain;
  }
  return Question::kPlain;
}

Move on_answer(Conversation& c, const Answer& answer) {
  if (answer.kind == Kind::kForeign) return {};
  // Late, but an answer to the first question all the same.
  if (c.step == Step::kPlain && answer.question == Question::kV1 && answer.kind == Kind::kSynAck && c.evidence.syn_v1 == Outcome::kSilent)
    return on_syn_ack_v1(c, answer);
  if (answer.question != question_for(c.step)) return {};
  switch (c.step) {
    case Step::kJoin:
      return answer.kind == Kind::kData ? Move{} : on_join(c, answer);
    case Step::kPlain:
      return answer.kind == Kind::kData ? Move{} : on_plain(c, answer);
    default:
      break;
  }
  if (answer.kind == Kind::kReset) return on_reset(c);
  if (answer.kind == Kind::kSynAck) {
    if (c.step == Step::kSynV1) return on_syn_ack_v1(c, answer);
    if (c.step == Step::kSynV0) return on_syn_ack_v0(c, answer);
    return {};  // once more, as our third ACK was lost: the next try answers it
  }
  if (c.step == Step::kDataV1) return on_data(c, answer.data, c.evidence.data_v1, Verdict::kV1);
  if (c.step == Step::kDataV0) return on_data(c, answer.data, c.evidence.data_v0, Verdict::kV0);
  return {};
}

Move on_timeout(Conversation& c, unsigned most_tries) {
  if (c.tries < most_tries) {
    ++c.tries;
    return {.kind = Move::Kind::kSend};
  }
  switch (c.step) {
    case Step::kSynV1:
      c.evidence.syn_v1 = Outcome::kSilent;
      return go_to(c, Step::kPlain);
    case Step::kSynV0:
      c.evidence.syn_v0 = Outcome::kSilent;
      return finish(Verdict::kInconclusive);
    case Step::kDataV1:
      if (c.evidence.data_v1 == DataOutcome::kNotSent) c.evidence.data_v1 = DataOutcome::kSilent;
      return ask_join(c);
    case Step::kDataV0:
      if (c.evidence.data_v0 == DataOutcome::kNotSent) c.evidence.data_v0 = DataOutcome::kSilent;
      return ask_join(c);
    case Step::kJoin:
      c.evidence.join = Outcome::kSilent;
      return finish(Verdict::kInconclusive);
    case Step::kPlain:
      c.evidence.syn_plain = Outcome::kSilent;
      return finish(c.evidence.syn_v1 == Outcome::kReset ? Verdict::kClosed : Verdict::kTimeout);
  }
  return {};
}

Verdict with_icmp(Verdict verdict, Evidence& evidence) {
  constexpr std::uint8_t kUnreachable4 = 3, kProtocol4 = 2, kPort4 = 3, kUnreachable6 = 1, kPort6 = 4;  // RFC 792, RFC 4443 section 3.1
  const std::uint8_t code = evidence.icmp_code;
  const bool v4 = evidence.icmp_type == kUnreachable4, v6 = evidence.icmp_type == kUnreachable6;
  if (verdict != Verdict::kTimeout || (!v4 && !v6)) return verdict;
  if (v4 ? code == kProtocol4 || code == kPort4 : code == kPort6) return Verdict::kClosed;
  evidence.no_route = true;
  return Verdict::kInconclusive;
}

}  // namespace weir::probe::raw
