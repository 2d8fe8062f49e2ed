#include "report/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <variant>

namespace weir::report {

std::expected<std::unique_ptr<FileExport>, Problem> FileExport::open(const std::string& directory, std::size_t max_open) {
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
  return std::unique_ptr<FileExport>(new FileExport(directory, descriptor, max_open));
}

FileExport::~FileExport() {
  close();
  ::close(descriptor_);
}

void FileExport::fail(File& file, int error) {
  if (!std::exchange(file.failed, true)) ++failed_;
  if (!problem_) problem_ = system_problem(directory_ + "/" + file.name, error);
}

bool FileExport::ensure_open(const Key& key, File& file) {
  if (file.descriptor >= 0) {
    open_.splice(open_.begin(), open_, file.place);
    return true;
  }
  if (open_.size() >= max_open_) close_file(files_.at(open_.back()));
  file.descriptor = ::openat(descriptor_, file.name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
  if (file.descriptor < 0) {
    fail(file, errno);
    return false;
  }
  file.place = open_.insert(open_.begin(), key);
  return true;
}

void FileExport::close_file(File& file) {
  if (file.descriptor < 0) return;
  if (::close(file.descriptor) != 0) fail(file, errno);
  file.descriptor = -1;
  open_.erase(file.place);
}

void FileExport::on_file_data(const engine::ConnectionInfo& info, std::uint64_t number, std::span<const std::byte> bytes) {
  const Key key{info.number, number};
  const auto [entry, fresh] = files_.try_emplace(key);
  File& file = entry->second;
  if (fresh) {
    file.name = fmt::format("{}.{}.partial", info.id, number);
    ::unlinkat(descriptor_, file.name.c_str(), 0);  // of an earlier run
  }
  if (file.failed || !ensure_open(key, file)) return;
  while (!bytes.empty()) {
    const ssize_t done = ::write(file.descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return fail(file, errno);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void FileExport::on_application(const engine::ApplicationRecord& record) {
  const auto* const r = std::get_if<inspect::apps::FileRecord>(&record.what);
  if (r == nullptr) return;
  const auto entry = files_.find({record.connection.number, r->number});
  if (entry == files_.end()) return;
  File& file = entry->second;
  close_file(file);
  if (!file.failed && !r->sha256.empty() && ::renameat(descriptor_, file.name.c_str(), descriptor_, r->sha256.c_str()) != 0) fail(file, errno);
  files_.erase(entry);
}

std::optional<Problem> FileExport::close() {
  for (auto& [key, file] : files_) close_file(file);
  files_.clear();
  return problem_;
}

}  // namespace weir::report
