#include "capture/points.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <unordered_map>
#include <utility>

namespace weir::capture {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

/// Folder and name, as in "site-a/uplink"; the name alone where there is no folder.
std::string with_folder(std::string_view path) {
  std::error_code ignored;
  const auto folder = std::filesystem::absolute(path, ignored).lexically_normal().parent_path().filename().string();
  return folder.empty() ? capture_name(path) : folder + "/" + capture_name(path);
}

/// Gives equal names a number from the second on.
void number_equals(std::vector<std::string>& names) {
  std::unordered_map<std::string, unsigned> uses;
  for (const auto& name : names) ++uses[name];
  std::unordered_map<std::string, unsigned> next;
  for (auto& name : names) {
    if (uses[name] == 1) continue;
    const unsigned nth = ++next[name];
    if (nth == 1) continue;
    std::string numbered;
    for (unsigned n = nth; numbered.empty() || uses.contains(numbered); ++n) numbered = name + "#" + std::to_string(n);
    uses[numbered] = 1;
    name = std::move(numbered);
  }
}

}  // namespace

std::string capture_name(std::string_view path) {
  if (path == "-") return "stdin";
  std::string name = std::filesystem::path(path).filename().string();
  const std::string plain = lower(name);
  std::size_t end = name.size();
  for (const std::string_view suffix : {".gz", ".zst"})
    if (end == name.size() && end > suffix.size() && plain.ends_with(suffix)) end -= suffix.size();
  const std::string_view rest = std::string_view(plain).substr(0, end);
  if (const auto at = rest.rfind(".pcap"); at != std::string_view::npos && at > 0)
    end = at;
  else if (rest.ends_with(".cap") && rest.size() > 4)
    end -= 4;
  name.resize(end);
  return name;
}

PointTable::FileId PointTable::add_file(std::string_view path) {
  const auto id = static_cast<FileId>(files_.size());
  files_.push_back({std::string(path), {}, false});
  add_point(id, {});
  return id;
}

PointId PointTable::add_point(FileId file, std::string_view label) {
  if (full()) {
    if (files_[file].points.empty()) files_[file].points.push_back(kMaxPoints - 1);
    return kMaxPoints - 1;
  }
  names_.clear();
  const auto id = static_cast<PointId>(points_.size());
  points_.push_back({file, std::string(label)});
  files_[file].points.push_back(id);
  return id;
}

PointId PointTable::interface(FileId file, std::string_view label) {
  File& of = files_[file];
  if (!of.labelled && points_[of.points.front()].file == file) {
    of.labelled = true;
    points_[of.points.front()].label = label;
    names_.clear();
    return of.points.front();
  }
  return add_point(file, label);
}

std::vector<std::string> PointTable::file_names() const {
  std::unordered_map<std::string, unsigned> uses;
  for (const File& file : files_) ++uses[capture_name(file.path)];
  std::vector<std::string> names;
  for (const File& file : files_) {
    std::string name = capture_name(file.path);
    if (uses[name] > 1) name = with_folder(file.path);
    names.push_back(std::move(name));
  }
  number_equals(names);
  return names;
}

std::vector<std::string> PointTable::names() const {
  const auto files = file_names();
  std::vector<std::string> names;
  for (const Point& point : points_) {
    std::string name = files[point.file];
    if (files_[point.file].points.size() > 1) name += ":" + point.label;
    names.push_back(std::move(name));
  }
  number_equals(names);
  return names;
}

const std::string& PointTable::name(PointId point) const {
  if (names_.empty()) names_ = names();
  return names_[point];
}

}  // namespace weir::capture
