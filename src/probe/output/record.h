// One result as it is written down: the finding, how and when it was made, and by which names the target is known. Values.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "probe/connect/details.h"
#include "probe/trace/report.h"
#include "probe/verdict.h"

namespace weir::probe::output {

enum class Mode : std::uint8_t { kRaw, kConnect };
std::string_view name_of(Mode mode);

/// By which a target was named.
struct Name {
  std::string name;
  std::string category;       ///< of the list that it stood in; empty: none
  bool https_record = false;  ///< the name has HTTPS records (RFC 9460)
};

struct Record {
  TimeNs time_ns = 0;  ///< of the verdict, since 1970 UTC
  Mode mode = Mode::kRaw;
  Finding finding;
  std::span<const Name> names;                  ///< none for a target out of a prefix
  std::span<const std::string> categories;      ///< of its names and its address, each once
  std::optional<Verdict> before;                ///< of an earlier run
  const trace::Report* trace = nullptr;         ///< where it was traced
  const connect::Details* connected = nullptr;  ///< what the kernel told, in connect mode
};

/// Where records go.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void take(const Record& record) = 0;
};

}  // namespace weir::probe::output
