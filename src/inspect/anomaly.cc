#include "inspect/anomaly.h"

#include <array>

namespace weir::inspect {

std::string_view event_name(Event event) {
  static constexpr auto kNames = std::to_array<std::string_view>({
#define WEIR_EVENT_NAME(name) #name,
      WEIR_EVENTS(WEIR_EVENT_NAME)
#undef WEIR_EVENT_NAME
  });
  return kNames.at(static_cast<std::size_t>(event));
}

}  // namespace weir::inspect
