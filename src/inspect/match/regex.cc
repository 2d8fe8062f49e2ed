#include "inspect/match/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

namespace weir::inspect::match {

void Regex::CodeFree::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }
void Regex::DataFree::operator()(pcre2_real_match_data_8* data) const { pcre2_match_data_free(data); }
void Regex::ContextFree::operator()(pcre2_real_match_context_8* context) const { pcre2_match_context_free(context); }

std::expected<Regex, std::string> Regex::compile(const rules::Pcre& pcre, std::uint32_t match_limit) {
  std::uint32_t options = 0;
  if (pcre.caseless) options |= PCRE2_CASELESS;
  if (pcre.multiline) options |= PCRE2_MULTILINE;
  if (pcre.dotall) options |= PCRE2_DOTALL;
  if (pcre.extended) options |= PCRE2_EXTENDED;
  if (pcre.anchored) options |= PCRE2_ANCHORED;
  if (pcre.dollar_endonly) options |= PCRE2_DOLLAR_ENDONLY;
  if (pcre.ungreedy) options |= PCRE2_UNGREEDY;
  int error = 0;
  std::size_t offset = 0;
  Regex regex;
  regex.code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pcre.expression.data()), pcre.expression.size(), options, &error, &offset, nullptr));
  if (!regex.code_) {
    std::array<PCRE2_UCHAR, 160> text{};
    pcre2_get_error_message(error, text.data(), text.size());
    return std::unexpected(std::string(reinterpret_cast<const char*>(text.data())) + " at octet " + std::to_string(offset));
  }
  pcre2_jit_compile(regex.code_.get(), PCRE2_JIT_COMPLETE | PCRE2_JIT_PARTIAL_SOFT);  // where it cannot, the interpreter does
  regex.data_.reset(pcre2_match_data_create_from_pattern(regex.code_.get(), nullptr));
  regex.data_taken_ = std::make_unique<std::atomic_flag>();
  regex.context_.reset(pcre2_match_context_create(nullptr));
  if (!regex.data_ || !regex.context_) return std::unexpected("no memory for the expression");
  pcre2_set_match_limit(regex.context_.get(), match_limit);
  pcre2_set_depth_limit(regex.context_.get(), match_limit);
  return regex;
}

/// What a search writes to: the memory kept for it, or, while another thread has that, some of its own.
class Regex::Memory {
 public:
  explicit Memory(const Regex& regex) : regex_(regex), taken_(!regex.data_taken_->test_and_set(std::memory_order_acquire)) {
    if (!taken_) own_.reset(pcre2_match_data_create_from_pattern(regex.code_.get(), nullptr));
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() {
    if (taken_) regex_.data_taken_->clear(std::memory_order_release);
  }
  pcre2_real_match_data_8* data() const { return taken_ ? regex_.data_.get() : own_.get(); }

 private:
  const Regex& regex_;
  bool taken_;
  std::unique_ptr<pcre2_real_match_data_8, DataFree> own_;
};

RegexResult Regex::search(std::span<const std::byte> bytes, std::size_t from, bool ended) const {
  if (from > bytes.size()) return {ended ? RegexResult::Kind::kNo : RegexResult::Kind::kMore};
  const std::uint32_t options = ended ? 0 : PCRE2_PARTIAL_SOFT | PCRE2_NOTEOL;
  static constexpr PCRE2_UCHAR kNothing = 0;
  const auto* subject = bytes.empty() ? &kNothing : reinterpret_cast<PCRE2_SPTR>(bytes.data());
  const Memory memory(*this);
  if (memory.data() == nullptr) return {RegexResult::Kind::kLimit};
  const int found = pcre2_match(code_.get(), subject, bytes.size(), from, options, memory.data(), context_.get());
  if (found >= 0) {
    const std::size_t* const where = pcre2_get_ovector_pointer(memory.data());
    return {RegexResult::Kind::kYes, where[0], where[1]};
  }
  if (found == PCRE2_ERROR_PARTIAL) return {RegexResult::Kind::kMore};
  if (found == PCRE2_ERROR_NOMATCH) return {ended ? RegexResult::Kind::kNo : RegexResult::Kind::kMore};
  return {RegexResult::Kind::kLimit};
}

std::uint32_t Regex::groups() const {
  std::uint32_t count = 0;
  pcre2_pattern_info(code_.get(), PCRE2_INFO_CAPTURECOUNT, &count);
  return count;
}

std::optional<std::span<const std::byte>> Regex::captured(std::span<const std::byte> bytes) const {
  static constexpr PCRE2_UCHAR kNothing = 0;
  const auto* subject = bytes.empty() ? &kNothing : reinterpret_cast<PCRE2_SPTR>(bytes.data());
  const Memory memory(*this);
  if (memory.data() == nullptr || pcre2_match(code_.get(), subject, bytes.size(), 0, 0, memory.data(), context_.get()) < 2) return std::nullopt;
  const std::size_t* const where = pcre2_get_ovector_pointer(memory.data());
  if (where[2] == PCRE2_UNSET || where[2] > where[3]) return std::nullopt;
  return bytes.subspan(where[2], where[3] - where[2]);
}

}  // namespace weir::inspect::match
