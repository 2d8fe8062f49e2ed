#include "report/streams.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

namespace weir::report {
namespace {

std::string file_name(const engine::ConnectionInfo& info, engine::Direction direction) {
  return info.id + (direction == engine::Direction::kToServer ? ".toserver" : ".toclient");
}

}  // namespace

std::expected<std::unique_ptr<StreamExport>, Problem> StreamExport::open(const std::string& directory, std::size_t max_open) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return std::unexpected(Problem{directory, error.message()});
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(system_problem(directory, errno));
  if (::faccessat(descriptor, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    Problem problem = system_problem(directory, errno);
    ::close(descriptor);
    return std::unexpected(std::move(problem));
  }
  return std::unique_ptr<StreamExport>(new StreamExport(directory, descriptor, max_open));
}

StreamExport::~StreamExport() {
  close();
  ::close(descriptor_);
}

void StreamExport::fail(Side& side, const std::string& name, int error) {
  side.stopped = true;
  if (!std::exchange(side.failed, true)) ++failed_;
  if (!problem_) problem_ = system_problem(directory_ + "/" + name, error);
}

bool StreamExport::ensure_open(const engine::ConnectionInfo& info, engine::Direction direction, Side& side) {
  if (side.open) {
    files_.splice(files_.begin(), files_, side.file);
    return true;
  }
  if (files_.size() >= max_open_) {
    const OpenFile& oldest = files_.back();
    close_file(connections_.at(oldest.connection).sides[index(oldest.direction)]);
  }
  std::string name = file_name(info, direction);
  const int descriptor = ::openat(descriptor_, name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (side.created ? O_APPEND : O_TRUNC), 0640);
  if (descriptor < 0) {
    fail(side, name, errno);
    return false;
  }
  side.created = true;
  files_.push_front({descriptor, info.number, direction, std::move(name), {}});
  side.file = files_.begin();
  side.open = true;
  return true;
}

bool StreamExport::flush(OpenFile& file, std::span<const std::byte> more) {
  std::span<const std::byte> rest[2] = {std::as_bytes(std::span(file.buffer)), more};
  while (!rest[0].empty() || !rest[1].empty()) {
    iovec pieces[2];
    for (int i = 0; i < 2; ++i) pieces[i] = {const_cast<std::byte*>(rest[i].data()), rest[i].size()};
    const ssize_t done = ::writev(file.descriptor, pieces, 2);
    if (done < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    auto left = static_cast<std::size_t>(done);
    for (auto& piece : rest) {
      const std::size_t taken = std::min(left, piece.size());
      piece = piece.subspan(taken);
      left -= taken;
    }
  }
  file.buffer.clear();
  return true;
}

void StreamExport::close_file(Side& side) {
  OpenFile& file = *side.file;
  const bool written = flush(file, {});
  const int error = errno;
  const bool closed = ::close(file.descriptor) == 0;
  if (!written || !closed) fail(side, file.name, written ? errno : error);
  files_.erase(side.file);
  side.open = false;
}

void StreamExport::on_data(const engine::ConnectionInfo& info, const engine::StreamChunk& chunk) {
  Side& side = connections_[info.number].sides[index(chunk.direction)];
  if (side.stopped || chunk.bytes.empty()) return;
  if (chunk.offset != side.next) {  // bytes are missing that no on_gap told of
    side.stopped = true;
    return;
  }
  if (!ensure_open(info, chunk.direction, side)) return;
  OpenFile& file = *side.file;
  if (file.buffer.size() + chunk.bytes.size() > kBufferBytes) {
    if (!flush(file, chunk.bytes)) {
      fail(side, file.name, errno);
      return;
    }
  } else {
    file.buffer.append(reinterpret_cast<const char*>(chunk.bytes.data()), chunk.bytes.size());
  }
  side.next += chunk.bytes.size();
}

void StreamExport::on_gap(const engine::ConnectionInfo& info, engine::Direction direction, std::uint64_t, std::uint64_t bytes, TimeNs) {
  if (bytes > 0) connections_[info.number].sides[index(direction)].stopped = true;
}

void StreamExport::finish(const engine::ConnectionInfo& info) {
  Connection& connection = connections_[info.number];
  for (const auto direction : {engine::Direction::kToServer, engine::Direction::kToClient}) {
    Side& side = connection.sides[index(direction)];
    if (!side.created && !info.id.empty()) ensure_open(info, direction, side);
    if (side.open) close_file(side);
  }
  connections_.erase(info.number);
}

void StreamExport::on_connection(const engine::ConnectionRecord& record) { finish(record.info); }
void StreamExport::on_flow(const engine::FlowRecord& record) { finish(record.info); }

std::optional<Problem> StreamExport::close() {
  while (!files_.empty()) {
    const OpenFile& file = files_.front();
    close_file(connections_.at(file.connection).sides[index(file.direction)]);
  }
  connections_.clear();
  return problem_;
}

}  // namespace weir::report
