// Connections that go by in the kernel: of their ends, what the packets tell that still come.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

namespace {

/// A host that still sends so long after its own RST has not ended the subflow; what was under way has come by then.
constexpr TimeNs kStillThere = 2'000'000'000;

}  // namespace

void Engine::goes_by(Judgement& judgement, bool in_window) {
  Connection* const c = state_->by_number(judgement.connection);
  if (c == nullptr) return;
  State::guard(*c).goes_by = true;
  const auto found = std::ranges::find(c->subflows, judgement.subflow, &Subflow::id);
  if (found == c->subflows.end()) return;
  if (in_window) state_->take_ends(**found);
  judgement.subflow_over = (*found)->ended();
  judgement.over = State::ended_by_both(*c);
}

/// No number tells whether all before an end has come, as most of it went by. So a FIN counts with that of the other host, a RST at once, for as long as the
/// host that sent it falls silent. MP_FASTCLOSE ends its own subflow: both hosts send RSTs on all others, which come here.
void Engine::State::take_ends(Subflow& f) {
  const EndsTold& told = ends_told;
  Connection& c = *f.connection;
  const std::size_t receiver = 1 - f.host(told.side);
  const bool mptcp = c.mptcp() && !c.fallen_back();
  const bool fastclosed = mptcp && told.fastclose_key && c.mp->has_key[receiver] && c.mp->key[receiver] == *told.fastclose_key;
  if (told.rst || fastclosed) {
    if (f.live()) reset_subflow(f, told.side, now_ns);
    if (f.phase == Phase::kReset) guard(f).reset_ns[told.side] = now_ns;
  } else {
    goes_on_after_reset(f, told.side);
  }
  if (told.fin && f.fin_position[told.side] == 0) f.fin_position[told.side] = std::max(told.fin_position, f.rx[told.side].next());
  if (f.live() && f.fin_position[kOpener] != 0 && f.fin_position[kAnswerer] != 0) {
    f.fin[kOpener] = f.fin[kAnswerer] = true;
    end_subflow(f, Phase::kClosed);
  }
  if (mptcp && told.data_fin) guard(c).data_fin[index(f.direction(told.side))] = true;
  touch(c, now_ns);
}

/// Its RST has not reached the other host, or was not meant to: the subflow is there, and counts.
void Engine::State::goes_on_after_reset(Subflow& f, Side side) {
  Connection& c = *f.connection;
  if (f.phase != Phase::kReset || !f.was_established || c.fastclosed || !f.guard) return;
  TimeNs& since = f.guard->reset_ns[side];
  if (since == 0 || now_ns - since < kStillThere) return;
  since = 0;
  f.phase = Phase::kEstablished;
  c.reset = false;
}

/// What one host says alone may never reach the other one.
bool Engine::State::ended_by_both(const Connection& c) {
  if (c.guard && c.guard->data_fin[0] && c.guard->data_fin[1]) return true;
  if (c.told_fin[0] && c.told_fin[1]) return true;
  return !c.subflows.empty() && std::ranges::all_of(c.subflows, [](const Subflow* f) { return f->phase == Phase::kClosed; });
}

}  // namespace weir::engine
