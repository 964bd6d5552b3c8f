#include "broker/base/http_client.h"

#include <httplib.h>

#include <algorithm>
#include <stop_token>
#include <thread>

#include "process/stop.h"

namespace weir {
namespace {

// The library reports a timeout like any other failure to read, so the clock decides.
HttpFailure failure_of(httplib::Error error, bool is_late) {
  if (is_late || error == httplib::Error::ConnectionTimeout) return HttpFailure::kTimedOut;
  return error == httplib::Error::Connection ? HttpFailure::kRefused : HttpFailure::kNotHttp;
}

// Ends all of `client`'s waiting at `end`, or when `stop` is requested. The library's own limits are for each
// step: a server that sends a byte now and then passes none of them.
std::jthread ended_at(httplib::Client& client, std::chrono::steady_clock::time_point end,
                      const std::stop_token& stop) {
  return std::jthread([&client, end, stop](const std::stop_token& is_over) {
    const std::stop_callback stop_now(stop, [&client] { client.stop(); });
    if (wait_until(end, is_over)) client.stop();
  });
}

void limit_each_step(httplib::Client& client, std::chrono::milliseconds timeout) {
  client.set_connection_timeout(timeout);
  client.set_read_timeout(timeout);
  client.set_write_timeout(timeout);
}

httplib::Headers headers_of(const HttpRequest& request) {
  httplib::Headers headers;
  for (const auto& [name, value] : request.headers) headers.emplace(name, value);
  return headers;
}

void append_to(std::string& body, std::string_view piece) {
  body.append(piece.substr(0, kHttpAnswerBytesMax - body.size()));
}

}  // namespace

std::variant<HttpAnswer, HttpFailure> http_stream(const HttpRequest& request,
                                                  const std::function<bool(std::string_view)>& take,
                                                  const std::stop_token& stop,
                                                  std::chrono::milliseconds timeout) {
  httplib::Client client(request.host, request.port);
  limit_each_step(client, timeout);
  HttpAnswer answer;
  const auto take_head = [&](const httplib::Response& response) {
    answer.status = response.status;
    answer.reason = response.reason;
    return true;
  };
  const auto take_body = [&](const char* data, std::size_t size) {
    const std::string_view piece(data, size);
    append_to(answer.body, piece);
    return answer.status == 200 ? take(piece) : answer.body.size() < kHttpAnswerBytesMax;
  };
  const auto end = std::chrono::steady_clock::now() + timeout;
  const auto watch = ended_at(client, end, stop);
  const auto result = client.Get(request.path, headers_of(request), take_head, take_body);
  if (result) answer.status = result->status, answer.reason = result->reason;
  // A body that is cut off, by the server or by take_body(), is an answer all the same.
  if (answer.status != 0) return answer;
  return failure_of(result.error(), std::chrono::steady_clock::now() >= end);
}

std::variant<HttpAnswer, HttpFailure> http_get(const std::string& address, std::uint16_t port,
                                               const std::string& path, std::chrono::milliseconds timeout) {
  const HttpRequest request{.host = address, .port = port, .path = path, .headers = {{"Host", "localhost"}}};
  std::size_t bytes = 0;
  const auto take = [&bytes](std::string_view piece) {
    bytes += piece.size();
    return bytes < kHttpAnswerBytesMax;
  };
  return http_stream(request, take, {}, timeout);
}

std::variant<HttpAnswer, HttpFailure> http_post(const HttpRequest& request, const std::string& body,
                                                std::chrono::milliseconds timeout) {
  httplib::Client client(request.host, request.port);
  limit_each_step(client, timeout);
  const auto end = std::chrono::steady_clock::now() + timeout;
  const auto watch = ended_at(client, end, {});
  const auto result = client.Post(request.path, headers_of(request), body, "application/json");
  if (!result) return failure_of(result.error(), std::chrono::steady_clock::now() >= end);
  HttpAnswer answer{.status = result->status, .reason = result->reason, .body = {}};
  append_to(answer.body, result->body);
  return answer;
}

}  // namespace weir
