// libhtp's configuration, with its callbacks.
#pragma once

#include <memory>

#include "base/limits.h"
#include "inspect/apps/application.h"

struct htp_cfg_t;

namespace weir::inspect::apps {

struct HttpConfig {
  explicit HttpConfig(const Limits& limits);
  struct Free {
    void operator()(htp_cfg_t* config) const;
  };
  std::unique_ptr<htp_cfg_t, Free> config;
};

}  // namespace weir::inspect::apps
