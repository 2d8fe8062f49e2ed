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
  judgement.over = c->list == kEnding;
}

/// No number tells whether all before an end has come, as most of it went by. So a FIN counts with that of the other host, a RST at once, for as long as the
/// host that sent it falls silent.
void Engine::State::take_ends(Subflow& f) {
  const EndsTold& told = ends_told;
  Connection& c = *f.connection;
  SubflowGuard& g = guard(f);
  if (told.rst) {
    if (f.live()) reset_subflow(f, told.side, now_ns);
    if (f.phase == Phase::kReset) g.reset_ns[told.side] = now_ns;
  } else if (f.phase == Phase::kReset && !c.fastclosed && g.reset_ns[told.side] != 0 && now_ns - g.reset_ns[told.side] >= kStillThere) {
    g.reset_ns[told.side] = 0;
    f.phase = Phase::kEstablished;
    c.reset = false;
  }
  if (told.fin && f.fin_position[told.side] == 0) f.fin_position[told.side] = std::max(told.fin_position, f.rx[told.side].next());
  if (f.live() && f.fin_position[kOpener] != 0 && f.fin_position[kAnswerer] != 0) {
    f.fin[kOpener] = f.fin[kAnswerer] = true;
    end_subflow(f, Phase::kClosed);
  }
  if (c.mptcp() && !c.fallen_back()) {
    if (told.data_fin) guard(c).data_fin[index(f.direction(told.side))] = true;
    const std::size_t receiver = 1 - f.host(told.side);
    if (told.fastclose_key && c.mp->has_key[receiver] && c.mp->key[receiver] == *told.fastclose_key && !c.fastclosed) fastclose(f, told.side, now_ns);
  }
  touch(c, now_ns);
}

}  // namespace weir::engine
