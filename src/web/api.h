// What a program behind the server is asked under /api/, and how it answers.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace weir::web {

/// A request without a body, from who has the token.
struct ApiRequest {
  std::string method, target;
};

struct ApiAnswer {
  unsigned status = 200;  ///< of HTTP
  std::string body;       ///< JSON
};

/// Once, from any thread; whoever asked may be gone.
using ApiReply = std::function<void(ApiAnswer)>;

struct Api {
  std::string token;       ///< empty: there is no control, and `closed_why` is told instead
  std::string closed_why;  ///< for people
  /// Called on the server's thread: it does not wait, and does not keep others waiting.
  std::function<void(ApiRequest, ApiReply)> ask;
};

}  // namespace weir::web
