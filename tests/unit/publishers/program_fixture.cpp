#include "tests/unit/publishers/program_fixture.h"

#include <hiredis/hiredis.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <thread>

namespace weir {
namespace {

constexpr std::chrono::seconds kDeadline{60};

}  // namespace

Program::Program(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<std::string> words{path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (auto& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const std::string errors_path = folder_.path("errors");
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int errors = ::open(errors_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (::getppid() != parent || ::dup2(errors, STDERR_FILENO) < 0) ::_exit(126);
  // What scales the tests is no setting of a program.
  ::unsetenv("WEIR_TEST_SCALE");
  ::unsetenv("WEIR_MODEL_SEEDS");
  ::execv(pointers[0], pointers.data());
  ::_exit(127);
}

Program::~Program() {
  if (pid_ == -1) return;
  signal(SIGKILL);
  wait();
}

int Program::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void Program::signal(int number) const { ::kill(pid_, number); }

std::string Program::errors() const {
  std::ifstream file(folder_.path("errors"));
  return {std::istreambuf_iterator<char>(file), {}};
}

bool Program::await_error(const std::string& text) const {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (errors().find(text) == std::string::npos) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

Subscriber::Subscriber(const RedisServer& redis, const std::string& channel)
    : context_(redisConnect("127.0.0.1", redis.port()), redisFree) {
  redisSetTimeout(context_.get(), {kDeadline.count(), 0});
  freeReplyObject(redisCommand(context_.get(), "SUBSCRIBE %s", channel.c_str()));
}

std::optional<std::string> Subscriber::next() {
  void* raw = nullptr;
  if (redisGetReply(context_.get(), &raw) != REDIS_OK) return std::nullopt;
  const std::unique_ptr<redisReply, void (*)(void*)> reply(static_cast<redisReply*>(raw), freeReplyObject);
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 3) return std::nullopt;
  return std::string(reply->element[2]->str, static_cast<std::size_t>(reply->element[2]->len));
}

std::vector<std::string> Subscriber::take(std::size_t count) {
  std::vector<std::string> payloads;
  while (payloads.size() < count) {
    auto payload = next();
    if (!payload) break;
    payloads.push_back(std::move(*payload));
  }
  return payloads;
}

std::vector<std::string> Subscriber::take_until(const std::string& last) {
  std::vector<std::string> payloads;
  while (payloads.empty() || payloads.back() != last) {
    auto payload = next();
    if (!payload) break;
    payloads.push_back(std::move(*payload));
  }
  return payloads;
}

std::vector<std::string> ProgramTest::arguments(std::vector<std::string> more) const {
  more.insert(more.begin(), {"--to", redis_.url(), "--channel", "news"});
  return more;
}

bool ProgramTest::eventually(const std::function<bool()>& holds) {
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

}  // namespace weir
