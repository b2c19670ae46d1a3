# The cluster and the images in it. Included by the Makefile; needs only python3.
PYTHON3 ?= python3

.PHONY: cluster
cluster: ## A Kubernetes cluster: yours (EVALUATION_CLUSTER=current), else kind, else one built and run here
	@$(PYTHON3) -m devcluster up

.PHONY: cluster-down
cluster-down: ## Remove the cluster and everything it left on the machine (PURGE=1: also loaded images and logs)
	@$(PYTHON3) -m devcluster down $(if $(PURGE),--purge)

.PHONY: cluster-status
cluster-status: ## Which parts of the cluster run
	@$(PYTHON3) -m devcluster status

.PHONY: kubeconfig
kubeconfig: ## Print the path of the cluster's kubeconfig
	@$(PYTHON3) -m devcluster kubeconfig

.PHONY: tools
tools: ## Build helm and kubeconform without a cluster
	@$(PYTHON3) -m devcluster tools

.PHONY: s3-server
s3-server: ## Build the S3 server that the artifact store is tested with
	@$(PYTHON3) -m devcluster tools versitygw

.PHONY: images
images: ## Build what changed of the images and load it into the cluster
	@$(PYTHON3) -m images
