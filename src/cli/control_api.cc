#include "cli/control_api.h"

#include <utility>

#include "cli/say.h"
#include "web/token.h"

namespace weir::cli {

web::Api control_api(const GatewayConfig& config, gateway::RequestQueue& queue) {
  web::Api api;
  api.closed_why = "control over HTTP needs a token: gateway.control.token_file names its file";
  if (!config.token_file.empty()) {
    if (auto token = web::read_token_file(config.token_file)) {
      api.token = *std::move(token);
    } else {
      say("gateway.control.token_file: " + token.error().what, token.error().why, "goes on without control over HTTP");
      api.closed_why = "gateway.control.token_file cannot be used; the gateway has said why when it began";
    }
  }
  api.ask = [&queue](const web::ApiRequest& request, const web::ApiReply& reply) {
    const auto answer = [reply](gateway::Answer given) { reply({.status = given.status, .body = std::move(given.body) + "\n"}); };
    const auto command = gateway::parse_command(request.method, request.target);
    command ? queue.put(*command, answer) : answer(command.error());
  };
  return api;
}

}  // namespace weir::cli
