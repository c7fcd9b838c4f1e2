# make lists what there is; make demo and make test set everything up first.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-xtts lint bench chaos soak clean
RUN := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## everything a fresh Debian 12 needs: packages, environment, models, Asterisk
	@bash image/provision.sh

demo: setup ## a real call between two softphones, interpreted both ways; results in demo-out/
	@$(RUN)/dragoman demo

# Real calls and faults take their time and little of the processor: the other tests run beside them, and yield. Those that listen
# for gaps have the machine to themselves. What a shell runs in the background is deaf to Ctrl-C unless told otherwise.
test: setup lint ## every test, the real calls included
	@others=$$(mktemp); nice env --default-signal=INT,QUIT $(RUN)/pytest -m "not call and not fault" >$$others 2>&1 & rest=$$!; \
	$(RUN)/pytest -m "(call or fault) and not alone"; calls=$$?; wait $$rest; rest=$$?; cat $$others; rm -f $$others; \
	$(RUN)/pytest -m alone; alone=$$?; exit $$((calls ? calls : rest ? rest : alone))

test-xtts: setup ## the tests of XTTS v2, which need torch: in an environment of their own, .venv-xtts
	@bash image/provision_xtts.sh && .venv-xtts/bin/mypy --no-error-summary && .venv-xtts/bin/pytest tests/xtts

lint: setup ## style, types and the rules of the house
	@$(RUN)/ruff check --quiet . && $(RUN)/ruff format --quiet --check . && $(RUN)/mypy --no-error-summary && $(RUN)/lint-imports

chaos: setup ## everything that can be broken, with four calls up; a quarter of an hour
	@$(RUN)/pytest tests/chaos --long

soak: setup ## eight calls that come and go, SOAK_MINUTES=30: does anything grow?
	@$(RUN)/dragoman bench soak --minutes $(or $(SOAK_MINUTES),30)

bench: setup ## what this machine can carry
	@$(RUN)/dragoman bench ring && $(RUN)/dragoman bench rtp && $(RUN)/dragoman bench store

clean: ## forget the environment and the build; the cache of models and Asterisk stays
	@rm -rf .venv .venv-xtts build demo-out
