#include "cli/default_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <utility>

#include "cli/say.h"

namespace weir::cli {
namespace {

constexpr const char* kDefaultLog = "/var/log/weir/eve.json";

}  // namespace

void log_by_default(InspectOptions& options, report::LogSettings log) {
  if (options.service_log) return;
  const std::filesystem::path file(kDefaultLog);
  const auto writable = [](const std::filesystem::path& path, int how) { return ::faccessat(AT_FDCWD, path.c_str(), how, AT_EACCESS) == 0; };
  std::error_code error;
  const bool fits = std::filesystem::exists(file, error) ? writable(file, W_OK) : writable(file.parent_path(), W_OK | X_OK);
  if (!fits) return say(kDefaultLog, "cannot be written: nothing is logged", "--log FILE, or log: {eve: FILE} in the configuration");
  log.places = {file};
  options.service_log = std::move(log);
}

}  // namespace weir::cli
