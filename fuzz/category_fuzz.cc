// Lists of names: whatever the text, each line has at most one fate, and what a list of names took is found again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "decide/categories.h"
#include "decide/category_lists.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::decide;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  Categories categories;
  const std::size_t names = *categories.category("names"), csv = *categories.category("csv");
  const auto check = [&](const ListCounts& counts) {
    if (counts.taken + counts.odd + counts.with_path + counts.other > lines) std::abort();
    if ((counts.odd > 0) != (counts.first_odd > 0) || counts.first_odd > lines || counts.full) std::abort();
  };
  const ListCounts of_names = read_name_list(text, names, categories);
  check(of_names);
  if ((of_names.taken > 0) != (categories.size() > 0) || categories.size() > of_names.taken) std::abort();
  check(read_csv_list(text, csv, categories));
  const auto sets = categories.of(text.substr(0, text.find('\n')));
  if (sets.count() > 2) std::abort();
  return 0;
}
