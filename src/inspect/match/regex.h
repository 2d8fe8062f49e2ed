// PCRE2 behind a value: the expressions of rules, with limits on what one match may cost.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "inspect/rules/rule.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace weir::inspect::match {

/// What a search found. kMore: it may match once more bytes are there. kLimit: it was given up (counted as not inspected).
struct RegexResult {
  enum class Kind : std::uint8_t { kNo, kYes, kMore, kLimit } kind = Kind::kNo;
  std::size_t first = 0, end = 0;
};

/// Purpose: one compiled expression. Immutable; may be searched for by several threads at once (the first takes the memory kept for it).
class Regex {
 public:
  static std::expected<Regex, std::string> compile(const rules::Pcre& pcre, std::uint32_t match_limit);
  /// From `from` on. `ended`: the bytes end where the stream or buffer does, so that $ may match there.
  RegexResult search(std::span<const std::byte> bytes, std::size_t from, bool ended) const;
  /// How many groups capture.
  std::uint32_t groups() const;
  /// What the first group captures in the first match; nothing without a match, or beyond the match limit.
  std::optional<std::span<const std::byte>> captured(std::span<const std::byte> bytes) const;

 private:
  class Memory;
  struct CodeFree {
    void operator()(pcre2_real_code_8*) const;
  };
  struct DataFree {
    void operator()(pcre2_real_match_data_8*) const;
  };
  struct ContextFree {
    void operator()(pcre2_real_match_context_8*) const;
  };
  std::unique_ptr<pcre2_real_code_8, CodeFree> code_;
  std::unique_ptr<pcre2_real_match_data_8, DataFree> data_;
  std::unique_ptr<std::atomic_flag> data_taken_;
  std::unique_ptr<pcre2_real_match_context_8, ContextFree> context_;
};

}  // namespace weir::inspect::match
