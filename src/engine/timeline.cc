// What a plot shows besides the stream: mapped bytes as they came, and the options that change something. Only with plot_events.
#include <fmt/format.h>

#include <variant>

#include "engine/state.h"

namespace weir::engine {

using namespace wire::mptcp;

void Engine::State::tell_mapped(Connection& c, Direction d, std::uint64_t offset, std::uint64_t bytes, std::uint32_t subflow, bool seen_before, TimeNs now) {
  if (!settings.plot_events || !c.told_established || c.quiet || bytes == 0) return;
  observer.on_mapped(info(c), {.direction = d, .offset = offset, .bytes = bytes, .subflow = subflow, .seen_before = seen_before, .time_ns = now});
}

void Engine::State::tell_option(Subflow& f, Side side, const char* name, std::string detail, TimeNs now) {
  Connection& c = *f.connection;
  if (!settings.plot_events || !c.told_established || c.quiet) return;
  observer.on_option(info(c), {.time_ns = now, .direction = f.direction(side), .subflow = f.id, .name = name, .detail = std::move(detail)});
}

void Engine::State::tell_options(Subflow& f, Side side, const Segment& s, const SegmentOptions& options) {
  if (!settings.plot_events) return;
  if (options.join_ack) tell_option(f, side, "MP_JOIN", f.opened_by_server ? "opened by the server" : "opened by the client", s.time_ns);
  if (options.fastclose) tell_option(f, side, "MP_FASTCLOSE", "", s.time_ns);
  if (options.dss && options.dss->data_fin) tell_option(f, side, "DATA_FIN", "", s.time_ns);
  for (const Option& option : options.others) {
    if (const auto* add = std::get_if<AddAddr>(&option)) {
      tell_option(f, side, "ADD_ADDR",
                  fmt::format("{}{}, address ID {}{}", to_string(add->address), add->port ? fmt::format(" port {}", *add->port) : "", add->address_id,
                              add->echo ? " (echo)" : ""),
                  s.time_ns);
    } else if (const auto* remove = std::get_if<RemoveAddr>(&option)) {
      std::string ids;
      for (const std::byte id : remove->address_ids) ids += fmt::format("{}{}", ids.empty() ? "" : ", ", std::to_integer<unsigned>(id));
      tell_option(f, side, "REMOVE_ADDR", "address ID " + ids, s.time_ns);
    } else if (const auto* prio = std::get_if<MpPrio>(&option)) {
      tell_option(f, side, "MP_PRIO", prio->backup ? "backup" : "no backup", s.time_ns);
    } else if (std::holds_alternative<MpFail>(option)) {
      tell_option(f, side, "MP_FAIL", "", s.time_ns);
    }
  }
  if (s.tcp->flags.rst()) {
    tell_option(f, side, "RST", "", s.time_ns);
  } else if (s.tcp->flags.fin()) {
    tell_option(f, side, "FIN", "", s.time_ns);
  }
}

}  // namespace weir::engine
