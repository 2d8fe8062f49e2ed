// The orderly end of a gateway: nothing new is taken in, and it is over when nothing is left.
#pragma once

#include <cstddef>
#include <optional>

#include "base/raw_packet.h"

namespace weir::gateway {

/// Purpose: when a drain that was begun is over. A value.
class Drain {
 public:
  /// `limit`: after it, whatever is left. Once begun, it goes on as it is.
  void begin(TimeNs now, TimeNs limit) {
    if (!until_) until_ = now + limit;
  }
  void stop() { until_.reset(); }
  bool runs() const { return until_.has_value(); }
  bool over(TimeNs now, std::size_t left) const { return until_ && (left == 0 || now >= *until_); }

 private:
  std::optional<TimeNs> until_;
};

}  // namespace weir::gateway
