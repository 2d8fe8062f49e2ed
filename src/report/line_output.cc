#include "report/line_output.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::report {
namespace {

std::expected<int, Problem> connect_to(const std::string& place, const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) return std::unexpected(Problem{place, "the path of a Unix socket has 1 to 107 octets"});
  std::memcpy(address.sun_path, path.data(), path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return std::unexpected(system_problem(place, errno));
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Problem problem = system_problem(place, errno);
    problem.why += " (a collector must be listening there)";
    ::close(descriptor);
    return std::unexpected(std::move(problem));
  }
  return descriptor;
}

}  // namespace

std::expected<LineOutput, Problem> LineOutput::open(const std::string& place, Mode mode) {
  if (place == "-") return LineOutput("standard output", STDOUT_FILENO, false);
  if (place.starts_with("unix:")) {
    const auto descriptor = connect_to(place, place.substr(5));
    if (!descriptor) return std::unexpected(descriptor.error());
    return LineOutput(place, *descriptor, true);
  }
  const int descriptor = ::open(place.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | (mode == Mode::kAppend ? O_APPEND : O_TRUNC), 0640);
  if (descriptor < 0) return std::unexpected(system_problem(place, errno));
  return LineOutput(place, descriptor, true);
}

LineOutput::LineOutput(LineOutput&& other) noexcept
    : place_(std::move(other.place_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      owned_(other.owned_),
      lines_lost_(other.lines_lost_),
      problem_(std::move(other.problem_)) {}

LineOutput::~LineOutput() { close(); }

void LineOutput::submit(std::string&& lines, std::uint64_t count) {
  const std::string text = std::move(lines);
  std::string_view rest = text;
  while (!rest.empty() && !problem_) {
    const ssize_t done = ::write(descriptor_, rest.data(), rest.size());
    if (done > 0) {
      rest.remove_prefix(static_cast<std::size_t>(done));
    } else if (done < 0 && errno != EINTR) {
      problem_ = system_problem(place_, errno);
    }
  }
  if (!rest.empty()) lines_lost_ += count;
}

std::optional<Problem> LineOutput::close() {
  if (descriptor_ < 0) return problem_;
  // A full disk of a network file system may show only here.
  if (owned_ && ::close(descriptor_) != 0 && !problem_ && errno != EINTR) problem_ = system_problem(place_, errno);
  descriptor_ = -1;
  return problem_;
}

}  // namespace weir::report
