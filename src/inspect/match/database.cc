#include "inspect/match/database.h"

#include <fmt/format.h>
#include <hs/hs.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

namespace weir::inspect::match {
namespace {

std::string key_of(std::span<const Pattern* const> patterns, unsigned mode) {
  std::string text = fmt::format("{} {}\n", hs_version(), mode);
  hs_platform_info_t platform{};
  if (hs_populate_platform(&platform) == HS_SUCCESS) fmt::format_to(std::back_inserter(text), "{} {}\n", platform.tune, platform.cpu_features);
  for (const Pattern* p : patterns)
    fmt::format_to(std::back_inserter(text), "{} {} {} {}\n", p->flags, p->max_offset ? static_cast<std::int64_t>(*p->max_offset) : -1, p->expression.size(),
                   p->expression);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  std::string key;
  for (unsigned i = 0; i < size; ++i) fmt::format_to(std::back_inserter(key), "{:02x}", digest[i]);
  return key;
}

int take_hit(unsigned id, unsigned long long, unsigned long long to, unsigned, void* context) {
  static_cast<std::vector<Hit>*>(context)->push_back({id, to});
  return 0;
}

void sort_from(std::vector<Hit>& hits, std::size_t from) {
  std::stable_sort(hits.begin() + static_cast<std::ptrdiff_t>(from), hits.end(), [](const Hit& a, const Hit& b) { return a.end < b.end; });
}

}  // namespace

void Database::Free::operator()(hs_database* database) const { hs_free_database(database); }
void Scratch::Free::operator()(hs_scratch* scratch) const { hs_free_scratch(scratch); }

std::expected<Database, PatternError> Database::compile(std::span<const Pattern* const> patterns, Mode mode, DatabaseCache* cache) {
  Database out;
  if (patterns.empty()) return out;
  const unsigned hs_mode = mode == Mode::kStream ? HS_MODE_STREAM : HS_MODE_BLOCK;
  const std::string key = cache != nullptr ? key_of(patterns, hs_mode) : std::string();
  hs_database_t* database = nullptr;
  if (cache != nullptr) {
    if (const std::vector<char> kept = cache->load(key); !kept.empty() && hs_deserialize_database(kept.data(), kept.size(), &database) == HS_SUCCESS) {
      out.database_.reset(database);
      return out;
    }
  }
  std::vector<const char*> expressions;
  std::vector<unsigned> flags, ids;
  std::vector<hs_expr_ext_t> exts(patterns.size());
  std::vector<const hs_expr_ext_t*> ext_pointers;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    expressions.push_back(patterns[i]->expression.c_str());
    flags.push_back(patterns[i]->flags);
    ids.push_back(static_cast<unsigned>(i));
    exts[i] = {};
    if (patterns[i]->max_offset) {
      exts[i].flags = HS_EXT_FLAG_MAX_OFFSET;
      exts[i].max_offset = *patterns[i]->max_offset;
    }
    ext_pointers.push_back(&exts[i]);
  }
  hs_compile_error_t* error = nullptr;
  const hs_error_t status = hs_compile_ext_multi(expressions.data(), flags.data(), ids.data(), ext_pointers.data(), static_cast<unsigned>(patterns.size()),
                                                 hs_mode, nullptr, &database, &error);
  if (status != HS_SUCCESS) {
    PatternError why{error != nullptr && error->expression >= 0 ? static_cast<std::size_t>(error->expression) : patterns.size() - 1,
                     error != nullptr ? error->message : "Hyperscan refused it"};
    if (error != nullptr) hs_free_compile_error(error);
    return std::unexpected(std::move(why));
  }
  out.database_.reset(database);
  if (cache != nullptr) {
    char* bytes = nullptr;
    std::size_t size = 0;
    if (hs_serialize_database(database, &bytes, &size) == HS_SUCCESS) {
      cache->store(key, std::span(bytes, size));
      free(bytes);  // NOLINT(cppcoreguidelines-no-malloc): Hyperscan took it from malloc
    }
  }
  return out;
}

std::size_t Database::stream_bytes() const {
  std::size_t size = 0;
  return database_ && hs_stream_size(database_.get(), &size) == HS_SUCCESS ? size : 0;
}

void Scratch::grow(const Database& database) {
  if (database.empty()) return;
  hs_scratch_t* scratch = scratch_.release();
  hs_alloc_scratch(database.get(), &scratch);
  scratch_.reset(scratch);
}

bool ScanState::unpack(const Database& database) {
  if (stream_ != nullptr) return true;
  if (packed_.empty()) return hs_open_stream(database.get(), 0, &stream_) == HS_SUCCESS;
  const bool done = hs_expand_stream(database.get(), &stream_, packed_.data(), packed_.size()) == HS_SUCCESS;
  packed_ = {};
  return done;
}

bool ScanState::scan(const Database& database, const Scratch& scratch, std::span<const std::byte> bytes, std::vector<Hit>& hits) {
  if (!unpack(database)) return false;
  constexpr std::size_t kMost = 1U << 30U;  // hs_scan_stream takes an unsigned length
  const std::size_t from = hits.size();
  while (!bytes.empty()) {
    const auto piece = bytes.first(std::min(bytes.size(), kMost));
    if (hs_scan_stream(stream_, reinterpret_cast<const char*>(piece.data()), static_cast<unsigned>(piece.size()), 0, scratch.get(), take_hit, &hits) !=
        HS_SUCCESS) {
      close();
      return false;
    }
    bytes = bytes.subspan(piece.size());
  }
  if (hits.size() - from > 1) sort_from(hits, from);
  return true;
}

void ScanState::finish(const Scratch& scratch, std::vector<Hit>& hits, const Database& database) {
  if (!is_open() || !unpack(database)) return;
  const std::size_t from = hits.size();
  hs_close_stream(stream_, scratch.get(), take_hit, &hits);
  stream_ = nullptr;
  sort_from(hits, from);
}

void ScanState::pack() {
  if (stream_ == nullptr) return;
  std::size_t needed = 0;
  if (hs_compress_stream(stream_, nullptr, 0, &needed) != HS_INSUFFICIENT_SPACE) return;
  std::vector<char> packed(needed);
  if (hs_compress_stream(stream_, packed.data(), packed.size(), &needed) != HS_SUCCESS) return;
  packed.resize(needed);
  packed.shrink_to_fit();
  packed_ = std::move(packed);
  hs_close_stream(stream_, nullptr, nullptr, nullptr);
  stream_ = nullptr;
}

void ScanState::close() {
  if (stream_ != nullptr) hs_close_stream(stream_, nullptr, nullptr, nullptr);
  stream_ = nullptr;
  packed_ = {};
}

bool scan_block(const Database& database, const Scratch& scratch, std::span<const std::byte> bytes, std::vector<Hit>& hits) {
  static constexpr char kNothing = 0;
  const char* const data = bytes.empty() ? &kNothing : reinterpret_cast<const char*>(bytes.data());
  return hs_scan(database.get(), data, static_cast<unsigned>(std::min<std::size_t>(bytes.size(), ~0U)), 0, scratch.get(), take_hit, &hits) == HS_SUCCESS;
}

}  // namespace weir::inspect::match
