// weir-publish-log against a real Redis, while the log is written and rotated.
#include <csignal>
#include <thread>

#include "tests/unit/publishers/program_fixture.h"

namespace weir {
namespace {

using Payloads = std::vector<std::string>;
constexpr int kLines = 20'000;

std::string message(int n) { return "{\"msg\":\"line " + std::to_string(n) + "\"}"; }
std::string line(int n) { return "line " + std::to_string(n) + "\n"; }

Payloads messages(int first, int end) {
  Payloads all;
  for (int n = first; n < end; ++n) all.push_back(message(n));
  return all;
}

class LogProgramTest : public ProgramTest {
 protected:
  // Starts the program and returns when it follows the file.
  std::unique_ptr<Program> follow(std::vector<std::string> more = {}) {
    more.insert(more.begin(), folder_.path());
    auto program = std::make_unique<Program>(WEIR_PUBLISH_LOG, arguments(more));
    EXPECT_TRUE(program->await_error("waiting for"));
    return program;
  }
  // log.1 to log.2 and so on, then log to log.1.
  void rotate() {
    for (int n = ++rotations_; n > 1; --n)
      folder_.rename("log." + std::to_string(n - 1), "log." + std::to_string(n));
    folder_.rename("log", "log.1");
  }
  // A line at a time, as programs write logs.
  void write(int first, int end) const {
    std::ofstream file(folder_.path(), std::ios::app | std::ios::binary);
    for (int n = first; n < end; ++n) file << line(n) << std::flush;
  }

  int rotations_ = 0;
};

TEST_F(LogProgramTest, PublishesEveryLineOnceAndInOrderOverRotationsByRename) {
  Subscriber subscriber(redis_, "news");
  const auto program = follow();
  std::thread writer([this] {
    for (int n = 0; n < kLines; n += 1'000) {
      if (n > 0) rotate();
      write(n, n + 1'000);
    }
  });
  const auto published = subscriber.take(kLines);
  writer.join();
  EXPECT_TRUE(published == messages(0, kLines)) << published.size() << " lines";
}

TEST_F(LogProgramTest, PublishesEveryLineOnceAndInOrderOverTruncations) {
  Subscriber subscriber(redis_, "news");
  const auto program = follow();
  Payloads published;
  for (int n = 0; n < kLines; n += 2'000) {
    // What was not read before a truncation is gone for everybody: each one comes after the
    // lines before it did.
    if (n > 0) folder_.truncate();
    std::thread writer([this, n] { write(n, n + 2'000); });
    for (auto& payload : subscriber.take(2'000)) published.push_back(std::move(payload));
    writer.join();
  }
  EXPECT_TRUE(published == messages(0, kLines)) << published.size() << " lines";
}

TEST_F(LogProgramTest, GoesOnWhereItStoppedWhenRedisComesBackAndLosesNoRotatedFile) {
  RedisServer::Options options;
  options.has_unix_socket = true;
  RedisServer redis(options);
  // The way to the server that the program knows: it is opened again only after the test has subscribed.
  const auto way = folder_.path("redis");
  const std::string socket = redis.unix_url().substr(7);
  std::filesystem::create_symlink(socket, way);
  auto subscriber = std::make_unique<Subscriber>(redis, "news");
  Program program(WEIR_PUBLISH_LOG, {"--to", "unix://" + way.string(), "--channel", "news", folder_.path()});
  ASSERT_TRUE(program.await_error("waiting for"));

  std::thread writer([this] { write(0, kLines / 2); });
  auto published = subscriber->take(kLines / 4);
  std::filesystem::remove(way);
  // By its own hand, so that it doesn't answer the publisher and then die before it has told the subscriber.
  EXPECT_THROW(redis.command({"SHUTDOWN", "NOSAVE"}), std::runtime_error);
  while (auto payload = subscriber->next()) published.push_back(std::move(*payload));
  redis.kill();
  writer.join();
  for (int n = kLines / 2; n < kLines; n += 1'000) {
    rotate();
    write(n, n + 1'000);
  }
  ASSERT_TRUE(program.await_error("trying again"));
  redis.start();
  subscriber = std::make_unique<Subscriber>(redis, "news");
  std::filesystem::create_symlink(socket, way);
  for (auto& payload : subscriber->take_until(message(kLines - 1))) published.push_back(std::move(payload));

  // None is missing; what was under way when the connection broke, one batch at most, may have come twice.
  Payloads once;
  std::size_t repeated = 0;
  for (const auto& payload : published) {
    if (payload == message(static_cast<int>(once.size()))) {
      once.push_back(payload);
    } else {
      ++repeated;
    }
  }
  EXPECT_TRUE(once == messages(0, kLines)) << once.size() << " lines in order";
  EXPECT_LE(repeated, 128U);
}

TEST_F(LogProgramTest, KeepsColoursAndTakesTheCrOfACrlf) {
  Subscriber subscriber(redis_, "news");
  const auto program = follow();
  folder_.append("\x1b[32mok\x1b[0m\r\n\nbad \xFF\n");
  EXPECT_EQ(subscriber.take(3), (Payloads{R"({"msg":"\u001b[32mok\u001b[0m"})", R"({"msg":""})",
                                          "{\"msg\":\"bad \xEF\xBF\xBD\"}"}));
}

TEST_F(LogProgramTest, PublishesWhatIsThereAndTheEndWhenItIsStopped) {
  Subscriber subscriber(redis_, "news");
  const auto program = follow({"--end"});
  folder_.append("one\n");
  EXPECT_EQ(subscriber.take(1), Payloads{R"({"msg":"one"})"});
  folder_.append("two\nthree");
  program->signal(SIGTERM);
  EXPECT_EQ(subscriber.take_until(kEnd), (Payloads{R"({"msg":"two"})", R"({"msg":"three"})", kEnd}));
  EXPECT_EQ(program->wait(), 0);
}

TEST_F(LogProgramTest, EndsTheSameWayWhenItsTerminalIsClosed) {
  ::signal(SIGHUP, SIG_DFL);
  Subscriber subscriber(redis_, "news");
  const auto program = follow({"--end"});
  folder_.append("one\n");
  EXPECT_EQ(subscriber.take(1), Payloads{R"({"msg":"one"})"});
  folder_.append("two\n");
  program->signal(SIGHUP);
  program->signal(SIGHUP);  // From the kernel, and from the shell.
  EXPECT_EQ(subscriber.take_until(kEnd), (Payloads{R"({"msg":"two"})", kEnd}));
  EXPECT_EQ(program->wait(), 0);
}

TEST_F(LogProgramTest, PublishesAFinishedLog) {
  folder_.append("one\ntwo");
  Subscriber subscriber(redis_, "news");
  Program program(WEIR_PUBLISH_LOG, arguments({folder_.path(), "--from-start", "--follow=false", "--end"}));
  EXPECT_EQ(subscriber.take_until(kEnd), (Payloads{R"({"msg":"one"})", R"({"msg":"two"})", kEnd}));
  EXPECT_EQ(program.wait(), 0);
}

TEST_F(LogProgramTest, SaysThatLinesWereLeftWhenItIsStoppedWhileRedisIsAway) {
  const auto program = follow();
  redis_.kill();
  folder_.append("one\n");
  ASSERT_TRUE(program->await_error("trying again"));
  program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0);
  EXPECT_NE(program->errors().find("stopped before 1 lines"), std::string::npos) << program->errors();
}

}  // namespace
}  // namespace weir
