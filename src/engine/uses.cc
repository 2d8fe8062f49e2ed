// Who speaks MPTCP, for an inventory; and datagrams of DNS, for names.
#include <algorithm>

#include "engine/state.h"

namespace weir::engine {

using inspect::MptcpUse;

namespace {

constexpr std::uint8_t kLatestVersion = 1;

Endpoints client_first(const Subflow& f) {
  if (!f.opened_by_server) return f.endpoints;
  return {f.endpoints.dst, f.endpoints.src, f.endpoints.dst_port, f.endpoints.src_port};
}

}  // namespace

void Engine::State::tell_use(Connection& c, MptcpUse use, TimeNs now) {
  const ConnectionInfo& known = info(c);
  use.time_ns = now;
  use.connection = known.endpoints;
  observer.on_mptcp_use(known, use);
}

/// What a connection's beginning says of its two ends.
void Engine::State::tell_use_of(Connection& c, bool completed, TimeNs now) {
  if (!c.mptcp() || c.subflows.empty()) return;
  const Mptcp& mp = *c.mp;
  MptcpUse use;
  use.completed = completed;
  if (c.midstream || mp.orphan || c.subflows.front()->join) {
    use.what = MptcpUse::What::kSeen;
    use.offered = use.answered = mp.version;
  } else {
    use.what = c.refused ? MptcpUse::What::kRefused : MptcpUse::What::kAgreed;
    if (mp.offered_version <= kLatestVersion) use.offered = mp.offered_version;
    if (!c.refused) use.answered = mp.version;
  }
  tell_use(c, use, now);
}

/// Subflows that had joined before it was known of what they are a part.
void Engine::State::tell_use_of_joined(Connection& c, std::span<Subflow* const> subflows, TimeNs now) {
  const auto live = static_cast<std::size_t>(std::ranges::count_if(c.subflows, &Subflow::live));
  for (Subflow* f : subflows) {
    if (f->join && f->live()) tell_use_of_subflow(*f, live, now);
  }
}

/// What only its end shows.
void Engine::State::tell_use_at_end(Connection& c, bool begun) {
  if (!begun && !c.midstream && !c.mp->orphan && !c.refused) tell_use_of(c, false, c.last_ns);
  MptcpUse use;
  if (c.fallback != FallbackReason::kNone) {
    use.what = MptcpUse::What::kFallback;
    tell_use(c, use, c.last_ns);
  } else if (c.refused && (c.raised >> static_cast<unsigned>(inspect::Event::option_stripped) & 1U) == 0) {
    use.what = MptcpUse::What::kRefuses;
    tell_use(c, use, c.last_ns);
  }
}

void Engine::State::tell_use_of_subflow(Subflow& f, std::size_t live, TimeNs now) {
  Connection& c = *f.connection;
  if (!c.told_established || c.fallen_back() || f.auth == Auth::kFailed) return;
  MptcpUse use;
  use.what = MptcpUse::What::kSubflow;
  use.subflows = static_cast<std::uint32_t>(live);
  use.subflow = client_first(f);
  tell_use(c, use, now);
}

void Engine::State::tell_dns(const wire::Decoded& decoded, TimeNs now) {
  constexpr std::uint16_t kDns = 53;
  if (decoded.udp.src_port != kDns && decoded.udp.dst_port != kDns) return;
  observer.on_dns_datagram({now, {decoded.src, decoded.dst, decoded.udp.src_port, decoded.udp.dst_port}, decoded.udp.payload});
}

}  // namespace weir::engine
