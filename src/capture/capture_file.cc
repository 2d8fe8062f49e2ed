#include "capture/capture_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

#include "capture/byte_stream.h"
#include "capture/mapped_file.h"
#include "capture/pcap_reader.h"
#include "capture/pcapng_reader.h"
#include "capture/window.h"

namespace weir::capture {
namespace {

constexpr const char* kWhatIsRead = "Weir reads pcap and pcapng, plain, gzip or zstd";

struct Opened {
  Window window;
  std::uint64_t total = 0;
};

std::expected<Opened, Error> open_window(const std::string& path) {
  const auto failed = [&](std::string what, std::string hint = {}) { return std::unexpected(Error{path, 0, std::move(what), std::move(hint)}); };
  const int fd = path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (fd < 0) return failed("cannot be opened: " + std::generic_category().message(errno));
  auto stream = std::make_unique<FdStream>(fd);
  struct stat status{};
  if (::fstat(fd, &status) != 0) return failed("cannot be opened: " + std::generic_category().message(errno));
  if (S_ISDIR(status.st_mode)) return failed("is a directory", "name the captures in it");
  const bool regular = S_ISREG(status.st_mode) && path != "-";
  const std::uint64_t total = regular ? static_cast<std::uint64_t>(status.st_size) : 0;

  const auto first = stream->peek();
  if (!first) return failed(first.error());
  if (first->empty()) return failed("has 0 octets", "was the capture ever begun?");
  if (is_gzip(*first)) return Opened{Window(gunzip(std::move(stream))), total};
  if (is_zstd(*first)) return Opened{Window(unzstd(std::move(stream))), total};
  if (regular)
    if (auto mapped = MappedFile::map(fd, total)) return Opened{Window(std::move(*mapped)), total};
  return Opened{Window(std::move(stream)), total};
}

/// What a file that is no capture may be instead.
std::string hint_for(const std::byte* first, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(first), size);
  if (text.starts_with("\xfd"
                       "7zX"))
    return "xz? Try: xz -dc FILE | weir inspect -";
  if (text.starts_with("BZh")) return "bzip2? Try: bzip2 -dc FILE | weir inspect -";
  if (text.starts_with("\x04\x22\x4d\x18")) return "lz4? Try: lz4 -dc FILE | weir inspect -";
  if (text.starts_with("PK\x03\x04")) return "zip? Unpack it first";
  if (text.starts_with("snoo") || text.starts_with("\x01\x50\x65\x65")) return "editcap converts other captures to pcapng";
  return kWhatIsRead;
}

}  // namespace

struct CaptureFile::State {
  Source source;
  std::uint64_t total;
  std::variant<std::monostate, PcapReader, PcapngReader> reader;

  Status next(RawPacket& packet) {
    if (auto* pcap = std::get_if<PcapReader>(&reader)) return pcap->next(packet);
    return std::get<PcapngReader>(reader).next(packet);
  }
};

CaptureFile::CaptureFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
CaptureFile::CaptureFile(CaptureFile&&) noexcept = default;
CaptureFile& CaptureFile::operator=(CaptureFile&&) noexcept = default;
CaptureFile::~CaptureFile() = default;

std::expected<CaptureFile, Error> CaptureFile::open(const std::string& path, PointTable& points) {
  const auto file = points.add_file(path);
  auto opened = open_window(path);
  if (!opened) return std::unexpected(opened.error());
  auto state = std::make_unique<State>(State{Source{path, std::move(opened->window), points, file}, opened->total, {}});
  Source& source = state->source;
  constexpr std::size_t kMagic = 4;
  if (!source.window.need(kMagic)) {
    if (source.window.failure().empty() && source.window.left() == 0) return std::unexpected(Error{path, 0, "holds 0 octets", "nothing was compressed"});
    source.fail(0, source.window.failure().empty() ? "is no capture, or is cut off: it has " + std::to_string(source.window.left()) + " octets"
                                                   : source.window.failure());
    return std::unexpected(*source.error);
  }
  const std::byte* magic = source.window.at();
  if (PcapReader::recognises(magic)) {
    state->reader.emplace<PcapReader>(source);
  } else if (PcapngReader::recognises(magic)) {
    state->reader.emplace<PcapngReader>(source);
  } else {
    return std::unexpected(Error{path, 0, "is no capture", hint_for(magic, kMagic)});
  }
  if (source.error) return std::unexpected(*source.error);
  return CaptureFile(std::move(state));
}

Status CaptureFile::next(RawPacket& packet) { return state_->next(packet); }

std::size_t CaptureFile::next_batch(std::span<RawPacket> packets) {
  std::size_t count = 0;
  if (auto* pcap = std::get_if<PcapReader>(&state_->reader)) {
    while (count < packets.size() && pcap->next(packets[count]) == Status::kPacket) ++count;
  } else {
    auto& pcapng = std::get<PcapngReader>(state_->reader);
    while (count < packets.size() && pcapng.next(packets[count]) == Status::kPacket) ++count;
  }
  return count;
}

void CaptureFile::release() { state_->source.window.release(); }
const std::optional<Error>& CaptureFile::error() const { return state_->source.error; }
std::optional<std::uint32_t> CaptureFile::unsupported_link() const { return state_->source.unsupported_link; }
std::uint64_t CaptureFile::unsupported_packets() const { return state_->source.unsupported_packets; }
Progress CaptureFile::progress() const { return {state_->source.window.consumed(), state_->total}; }

}  // namespace weir::capture
