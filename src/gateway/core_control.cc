// Core: what an operator asks for.
#include <algorithm>
#include <utility>

#include "gateway/core.h"

namespace weir::gateway {

bool Core::cut(std::uint64_t number, std::optional<std::uint32_t> subflow, TimeNs now) {
  auto endings = engine_->endings(number);
  if (subflow) {
    const std::size_t live = endings.size();
    std::erase_if(endings, [&](const engine::Ending& e) { return e.subflow != *subflow; });
    // The last one: without it its hosts would have a connection of which nothing comes, and no program would hear of it.
    if (endings.size() == live) subflow.reset();
  }
  if (endings.empty()) return false;
  Connection& c = connection(number);
  tell(record_of(number, now, "reset", subflow ? "its subflow was cut by control" : "it was cut by control"));
  hold(endings);
  if (!subflow) hold_half_open(number);
  std::uint64_t ending = number;
  if (subflow) {
    // RSTs alone: MP_FASTCLOSE would end the whole connection.
    for (engine::Ending& e : endings) e.key.reset();
    ending = ~(number << 12U | *subflow);
  } else if (!c.blocked) {
    set_blocked(number, c);
  }
  closing_.begin(ending, std::move(endings), c.kept_mark, now, closing_send());
  return true;
}

void Core::list(std::vector<Listed>& into, std::uint64_t after, std::size_t most) {
  for (const engine::ConnectionOverview& o : engine_->overview(after, most)) {
    const decide::Decision& decision = *connection(o.record.info.number).decision;
    Listed one{.connection = o.record.info.number, .json = {}};
    report::JsonWriter json(one.json);
    append_overview(json, o, name_of(decision.action), decision.rule);
    into.push_back(std::move(one));
  }
}

}  // namespace weir::gateway
